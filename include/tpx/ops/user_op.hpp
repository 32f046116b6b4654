// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <tpx/ops/local_call.hpp>

namespace tpx {

namespace detail {

template <class Op>
concept HasARule = std::is_same_v<decltype(&Op::rule), const OpRule*>;
template <class Op>
concept StatesARule = HasARule<Op> && requires {
  typename std::integral_constant<int, Op::rule.operands>;
};

/// Whether a factor stands once in an operand, and once in the result.
constexpr bool factors_stand_once(const OpRule& rule) {
  for (int i = 0; i < rule.operands; ++i)
    for (int d = 0; d < rule.ndim[i]; ++d)
      if (rule.dim_of(i, rule.factor[i][d]) != d) return false;
  for (int d = 0; d < rule.result_ndim; ++d)
    if (rule.result_dim_of(rule.result[d]) != d) return false;
  return true;
}

/// The rule's fit to the operands that it is given for.
template <class Op, class... Xs>
constexpr bool has_operands() {
  constexpr int ndim[] = {Xs::ndim...};
  bool fits = Op::rule.operands == static_cast<int>(sizeof...(Xs));
  for (int i = 0; fits && i < Op::rule.operands; ++i) fits = Op::rule.ndim[i] == ndim[i];
  return fits;
}

constexpr bool result_dims_are_operands(const OpRule& rule) {
  for (int d = 0; d < rule.result_ndim; ++d) {
    bool found = false;
    for (int i = 0; i < rule.operands; ++i) found = found || rule.dim_of(i, rule.result[d]) >= 0;
    if (!found) return false;
  }
  return true;
}

template <bool fits, class... Facts>
constexpr void an_op_states_its_rule() {
  static_assert(
      fits,
      "tpx::user_op: an op is a struct that says static constexpr OpRule rule = op_rule(\"b h, h -> b h\", "
      "Linearity::nonlinear, {2, 1}) (see op)");
}
template <bool fits, class... Facts>
constexpr void a_rule_is_read_from_its_text() {
  static_assert(
      fits,
      "tpx::user_op: the text of the op's rule is its operands, as many as there are numbers of dims, each "
      "with so many names, then -> and the result, as in op_rule(\"b h, h -> b h\", ..., {2, 1}); what is "
      "needed whole has its name in it (see op)");
}
template <bool fits, class... Facts>
constexpr void a_factor_stands_once() {
  static_assert(
      fits,
      "tpx::user_op: a name stands once in an operand, and once in the result: a rank's part of one of the two "
      "dims would not meet its part of the other (see op)");
}
template <bool fits, class... Facts>
constexpr void a_rule_is_of_the_operands() {
  static_assert(
      fits,
      "tpx::user_op: the op's rule is for as many operands as it is called with, and for their numbers of "
      "dims (see op)");
}
template <bool fits, class... Facts>
constexpr void a_result_has_the_operands_dims() {
  static_assert(fits,
                "tpx::user_op: each dim of the result is one of an operand's, which gives its extent (see op)");
}

/// Whether Op states a rule for these operands; where it does not, the error that says why.
template <class Op, class... Xs>
constexpr bool states_a_rule_for() {
  constexpr bool stated = StatesARule<Op>;
  an_op_states_its_rule<stated, op<Op>>();
  if constexpr (stated) {
    constexpr bool read = Op::rule.fits;
    constexpr bool fits = read && has_operands<Op, Xs...>();
    constexpr bool once = fits && factors_stand_once(Op::rule);
    constexpr bool known = once && result_dims_are_operands(Op::rule);
    a_rule_is_read_from_its_text<read, op<Op>>();
    a_rule_is_of_the_operands<fits || !read, op<Op>>();
    a_factor_stands_once<once || !fits, op<Op>>();
    a_result_has_the_operands_dims<known || !once, op<Op>>();
    return known;
  } else {
    return false;
  }
}

/// The result's extents. Throws where operands that share a factor differ in its extent.
template <class... Xs>
Shape result_shape(const OpRule& rule, const Xs&... xs) {
  const Shape* const shape[] = {&xs.shape()...};
  const auto extent_of = [&](int f) {
    std::int64_t extent = -1;
    for (int i = 0; i < rule.operands; ++i) {
      const int d = rule.dim_of(i, f);
      if (d < 0) continue;
      if (extent >= 0 && (*shape[i])[d] != extent) {
        std::string all;
        ((all += (all.empty() ? "" : "; ") + xs.describe()), ...);
        fail("tpx::user_op: dim " + std::to_string(d) + " of operand " + std::to_string(i) +
             " has the extent that it has in the other operands: " + all);
      }
      extent = (*shape[i])[d];
    }
    return extent;
  };
  for (int i = 0; i < rule.operands; ++i)
    for (int d = 0; d < rule.ndim[i]; ++d) extent_of(rule.factor[i][d]);
  Shape global;
  for (int d = 0; d < rule.result_ndim; ++d) global.push_back(extent_of(rule.result[d]));
  return global;
}

template <class... Xs>
struct element_of_first;
template <class X, class... Xs>
struct element_of_first<X, Xs...> {
  using type = typename X::element_type;
};
template <class X, class... Xs>
requires(!X::carries_gradient && sizeof...(Xs) > 0) struct element_of_first<X, Xs...>
    : element_of_first<Xs...> {
};

}  // namespace detail

/// An op of one's own: a rule, a kernel on shards, and its backward. Layouts, refusals and the gradient's
/// layouts follow from the rule, as for every op.
///
///   struct Damp {
///     static constexpr OpRule rule = op_rule("b h, h -> b h", Linearity::nonlinear, {2, 1});
///     template <class Exec, class X, class G, class Y>
///     void forward(const Exec& exec, X x, G g, Y y) const;
///     template <class Exec, class X, class G, class DY, class DX, class DG>
///     void backward(const Exec& exec, X x, G g, DY dy, DX dx, DG dg) const;     // adds to dx and dg
///   };
///   auto y = user_op(Damp{}, x, g);
///
/// What the kernel sees: ops/local_call.hpp. It works on shards, so an index along a split dim is a local one,
/// and a factor that it needs whole is named so in the rule. The result has the elements of the first operand
/// that has floating-point ones.
///
/// @pre    a name stands once in an operand and once in the result, and each of the result's in an operand
/// @pre    the rule is true of the kernel: of its linearity above all, because a Partial operand is taken by it
/// @comm   none, forward or backward
/// @throws tpx::Error naming all operands where the extents of one factor differ
template <class Op, Tensor... Xs>
auto user_op(const Op& op, const Xs&... xs) {
  if constexpr (!detail::states_a_rule_for<Op, Xs...>()) {
    return refused{};
  } else if constexpr (!detail::admits_with<detail::no_gradient_mask<Xs...>, Op, over<>, Xs...>()) {
    return refused{};
  } else {
    using T = typename detail::element_of_first<Xs...>::type;
    const detail::Region region("tpx::user_op");
    auto y =
        detail::make_result<Op, T, Op::rule.result_ndim, over<>>(detail::result_shape(Op::rule, xs...), xs...);
    return std::get<0>(detail::local_call<detail::CompareNothing>(op, std::tuple(std::move(y)), xs...));
  }
}

template <class Op, class... Xs>
requires(!(Tensor<Xs> && ...)) refused user_op(const Op&, const Xs&... xs) {
  return detail::refused_again(xs...);
}

}  // namespace tpx
