// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <tpx/kernel/pointwise.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/sum_step.hpp>

namespace tpx {

namespace detail {

/// dX goes the forward's step back,  d bias (+)= the sum of dY over the rows,  d residual (+)= dY;  extents
/// rows, columns, and which operand is the bias, and the residual, 0 for none.
template <class T, class Mesh>
void redistribute_add_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::redist_add_bwd");
  const std::int64_t rows = r.extent[0], columns = r.extent[1], bias = r.extent[2], residual = r.extent[3];
  if (residual > 0) tape.template give<T>(r.in[residual], tape.gradient_buffer(r.out));
  tape.template give<T>(r.in[0], run_plan<T>(tape.mesh(), *r.plan, r.shape, tape.gradient_buffer(r.out)));
  if (bias == 0) return;
  if (const Sink<T> db = tape.template sink<T>(r.in[bias])) {
    const T* dy = tape.template gradient_of<T>(r.out);
    tape.mesh().context().launch(
        {rows * columns, (rows + 1) * columns * std::int64_t{sizeof(T)}},
        [&](const auto& exec) { kernel::bias_gradient(exec, dy, db.data, rows, columns, db.accumulate); });
  }
}

template <class X, class... To>
using redistributed = DTensor<typename X::element_type, X::ndim, with_t<typename X::layout_type, To...>,
                              typename X::mesh_type, track_of<X>>;

template <bool fits, class... Facts>
constexpr void a_bias_and_a_residual_are_added() {
  static_assert(
      fits,
      "tpx::redistribute_add: what is added is a bias of fewer dims, a residual of as many, or both in "
      "this order (see operands)");
}

/// A residual has all dims of the result, a bias fewer: at most one of each is added, the bias first.
template <class X, class First, class... Second>
constexpr bool a_bias_a_residual_or_both = sizeof...(Second) == 0
                                               ? First::ndim <= X::ndim
                                               : First::ndim < X::ndim && ((Second::ndim == X::ndim) && ...) &&
                                                     sizeof...(Second) == 1;

/// How tensors are added to one that is on its way: in the pass that sums it, after it, or not at all.
enum class Adding : unsigned char { on_the_way, afterwards, refused };

/// Whether tensors can be added to Moved one after the other and leave its layout; where they cannot be added,
/// the error that says why.
template <class Moved, class First, class... More>
constexpr Adding adds_to() {
  using Op = ops::add<Moved::ndim, First::ndim>;
  if constexpr (!admits<Op, over<>, Moved, First>()) {
    return Adding::refused;
  } else if constexpr (!std::is_same_v<result_layout_of<Op, over<>, Moved, First>,
                                       typename Moved::layout_type>) {
    return Adding::afterwards;
  } else if constexpr (sizeof...(More) == 0) {
    return Adding::on_the_way;
  } else {
    return adds_to<DTensor<typename Moved::element_type, Moved::ndim, typename Moved::layout_type,
                           typename Moved::mesh_type, track_of<Moved, First>>,
                   More...>();
  }
}

/// On the way to Moved where that is a sum over ranks, to which all can be added.
template <class X, class Moved, class... Addends>
constexpr Adding adds_on_the_way() {
  using Step = SumStep<typename X::element_type, typename X::mesh_type>;
  if constexpr (Step::is_all_of(plan_v<X::spec.bits, Moved::spec.bits>) && !is_ragged(X::spec) &&
                !is_ragged(Moved::spec) && X::ndim > 0) {
    return adds_to<Moved, Addends...>();
  } else {
    return Adding::afterwards;
  }
}

/// Puts an operand where the step finds it.
template <class T, class X, class A>
void expect_added(Added<T>& added, const X& x, const A& addend) {
  for (int d = 0; d < A::ndim; ++d)
    TPX_EXPECTS(x.extent(X::ndim - A::ndim + d) == addend.extent(d), x.describe(), addend.describe());
  addend.shard().fetch();
  if constexpr (A::ndim == X::ndim) {
    added.residual = addend.data();
    added.has_residual = true;
  } else {
    added.bias = addend.data();
    added.has_bias = true;
    added.columns = addend.local_count();
    added.row_dims = X::ndim - A::ndim;
  }
}

template <class Y, class X, class... Addends>
Y sum_and_add(const X& x, Buffer shard, const Addends&... addends) {
  using T = typename X::element_type;
  const Region region("tpx::redist_add");
  TPX_EXPECTS(static_cast<bool>(shard), "a tensor that was moved into an op is used no more");
  TPX_EXPECTS((x.mesh().is(addends.mesh()) && ...), x.mesh().coordinate_text(),
              "the operands of an op are on one and the same mesh");
  const Way way = way_of<X, Y>(x, x.shape());
  constexpr const Plan& plan = plan_v<X::spec.bits, Y::spec.bits>;
  const Shape local = Distribution(way.global, Y::spec, x.mesh().grid()).local();
  Added<T> added;
  added.row_dims = X::ndim - 1;  // where there is no bias
  added.columns = local[X::ndim - 1];
  (expect_added(added, x, addends), ...);
  shard.fetch();
  SumStep<T, typename X::mesh_type> step(x.mesh(), plan.step[0], way.steps);
  Y y(x.mesh(), way.global, step.run(std::move(shard), added));
  return record(
      std::move(y), &redistribute_add_backward<T, typename X::mesh_type>,
      [&](auto& r) {
        r.plan = &backward_plan_v<X::spec.bits, Y::spec.bits>;
        r.shape = way.steps;
        r.extent[0] = local.count(0, added.row_dims);
        r.extent[1] = added.columns;
        r.extent[2] = added.has_bias ? 1 : 0;
        r.extent[3] = !added.has_residual ? 0 : added.has_bias ? 2 : 1;
      },
      x, addends...);
}

}  // namespace detail

/// Sums what the ranks hold, and adds a bias, a residual or both in the pass that sums.
///
///   y = residual + (x as To + bias)          redistribute_add<Invariant<tp>>(matmul(h, w), bias, residual)
///   y = residual + x as To                   redistribute_add<Invariant<tp>>(matmul(h, w), residual)
///
///   x  [b,s,h]{P:tp}    bias  [h]         residual  [b,s,h]        y  [b,s,h]         To: Invariant<tp>
///   x  [b,s,h]{P:tp}    bias  [h]{R:tp}   residual  [b,s@tp,h]     y  [b,s@tp,h]      To: Shard<1, tp>
///
/// Where ranks read one another's memory each adds the bias and the residual only to the part of the sum that
/// it computes. A redistribution that is not one sum over ranks is followed by the additions.
///
/// @pre    a bias' extents are x's last ones and fewer, a residual's are x's
/// @post   to the bit what add(residual, add(redistribute<To...>(x), bias)) is
/// @comm   as redistribute, forward and backward
/// @throws tpx::Error naming the operands where the extents differ
template <class... To, class X, class First, class... Second>
auto redistribute_add(X&& x, const First& first, const Second&... second) {
  using Given = std::remove_cvref_t<X>;
  if constexpr (!Tensor<Given> || !Tensor<First> || !(Tensor<Second> && ...)) {
    return detail::refused_again(x, first, second...);
  } else if constexpr (!detail::a_bias_a_residual_or_both<Given, First, Second...>) {
    detail::a_bias_and_a_residual_are_added<false, detail::operands<Given, First, Second...>>();
    return refused{};
  } else {
    using Moved = detail::redistributed<Given, To...>;
    constexpr detail::Adding adding = detail::adds_on_the_way<Given, Moved, First, Second...>();
    if constexpr (adding == detail::Adding::refused) {
      return refused{};
    } else if constexpr (adding == detail::Adding::on_the_way) {
      Buffer shard = x.shard();
      if constexpr (!std::is_lvalue_reference_v<X> && !std::is_const_v<X>)
        shard = std::forward<X>(x).take_shard();
      using Y = DTensor<typename Moved::element_type, Moved::ndim, typename Moved::layout_type,
                        typename Moved::mesh_type, detail::track_of<Given, First, Second...>>;
      return detail::sum_and_add<Y>(x, std::move(shard), first, second...);
    } else if constexpr (sizeof...(Second) == 0) {
      return add(redistribute<To...>(std::forward<X>(x)), first);
    } else {
      return add(second..., add(redistribute<To...>(std::forward<X>(x)), first));
    }
  }
}

}  // namespace tpx
