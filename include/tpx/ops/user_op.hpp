// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include <tpx/ops/local_call.hpp>

namespace tpx {

namespace detail {

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
/// @pre    the rule is true of the kernel: of its linearity above all, because a Partial operand is taken by it
/// @comm   none, forward or backward
/// @throws tpx::Error naming all operands where the extents of one factor differ
template <class Op, Tensor... Xs>
auto user_op(const Op& op, const Xs&... xs) {
  constexpr bool fits = detail::has_operands<Op, Xs...>();
  constexpr bool known = detail::result_dims_are_operands(Op::rule);
  detail::a_rule_is_of_the_operands<fits, detail::op<Op>>();
  detail::a_result_has_the_operands_dims<known, detail::op<Op>>();
  if constexpr (!fits || !known) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, Xs...>()) {
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
requires(detail::is_refused<Xs> || ...) refused user_op(const Op&, const Xs&... xs) {
  return detail::refused_again(xs...);
}

}  // namespace tpx
