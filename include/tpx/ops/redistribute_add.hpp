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
/// rows, columns.
template <class T, class Mesh>
void redistribute_add_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::redist_add_bwd");
  const std::int64_t rows = r.extent[0], columns = r.extent[1];
  tape.template give<T>(r.in[2], tape.gradient_buffer(r.out));
  tape.template give<T>(r.in[0], run_plan<T>(tape.mesh(), *r.plan, r.shape, tape.gradient_buffer(r.out)));
  if (const Sink<T> db = tape.template sink<T>(r.in[1])) {
    const T* dy = tape.template gradient_of<T>(r.out);
    tape.mesh().context().launch(
        {rows * columns, (rows + 1) * columns * std::int64_t{sizeof(T)}},
        [&](const auto& exec) { kernel::bias_gradient(exec, dy, db.data, rows, columns, db.accumulate); });
  }
}

template <class X>
const typename X::element_type* data_of(const X& x) {
  x.shard().fetch();
  return x.data();
}
template <class X, class R>
void expect_same_shape(const X& x, const R& residual) {
  TPX_EXPECTS(x.shape() == residual.shape(), x.describe(), residual.describe());
}

template <class X, class... To>
using redistributed = DTensor<typename X::element_type, X::ndim, with_t<typename X::layout_type, To...>,
                              typename X::mesh_type, track_of<X>>;

/// Whether the way to Moved is a sum over ranks to which the others can be added: they fit, and do not change
/// the layout. Where they do not fit, add says why.
template <class X, class Moved, class B, class... R>
constexpr bool adds_on_the_way() {
  using Step = SumStep<typename X::element_type, typename X::mesh_type>;
  if constexpr (!Step::is_all_of(plan_v<X::spec.bits, Moved::spec.bits>) || is_ragged(X::spec) ||
                is_ragged(Moved::spec) || X::ndim < B::ndim || ((R::ndim != X::ndim) || ...)) {
    return false;
  } else if constexpr (!admits<ops::add<X::ndim, B::ndim>, over<>, Moved, B>()) {
    return false;
  } else {
    using L = typename Moved::layout_type;
    using Biased = DTensor<typename X::element_type, X::ndim, L, typename X::mesh_type, track_of<X, B>>;
    constexpr bool bias_fits =
        std::is_same_v<result_layout_of<ops::add<X::ndim, B::ndim>, over<>, Moved, B>, L>;
    if constexpr (!bias_fits || !(admits<ops::add<X::ndim, X::ndim>, over<>, R, Biased>() && ...)) {
      return false;
    } else {
      return (std::is_same_v<result_layout_of<ops::add<X::ndim, X::ndim>, over<>, R, Biased>, L> && ...);
    }
  }
}

template <class Y, class X, class B, class... R>
Y sum_and_add(const X& x, Buffer shard, const B& bias, const R&... residual) {
  using T = typename X::element_type;
  const Region region("tpx::redist_add");
  TPX_EXPECTS((x.mesh().is(bias.mesh()) && ... && x.mesh().is(residual.mesh())), x.mesh().coordinate_text(),
              "the operands of an op are on one and the same mesh");
  for (int d = 0; d < B::ndim; ++d)
    TPX_EXPECTS(x.extent(X::ndim - B::ndim + d) == bias.extent(d), x.describe(), bias.describe());
  (expect_same_shape(x, residual), ...);
  const Way way = way_of<X, Y>(x, x.shape());
  constexpr const Plan& plan = plan_v<X::spec.bits, Y::spec.bits>;
  Added<T> added{data_of(bias), nullptr, sizeof...(R) != 0, bias.local_count(), X::ndim - B::ndim};
  ((added.residual = data_of(residual)), ...);
  shard.fetch();
  SumStep<T, typename X::mesh_type> step(x.mesh(), plan.step[0], way.steps);
  Y y(x.mesh(), way.global, step.run(std::move(shard), added));
  const std::int64_t columns = added.columns, rows = y.local_shape().count(0, added.row_dims);
  return record(
      std::move(y), &redistribute_add_backward<T, typename X::mesh_type>,
      [&](auto& r) {
        r.plan = &backward_plan_v<X::spec.bits, Y::spec.bits>;
        r.shape = way.steps;
        r.extent[0] = rows;
        r.extent[1] = columns;
      },
      x, bias, residual...);
}

}  // namespace detail

/// Sums what the ranks hold, and adds a bias and perhaps a residual in the pass that sums.
///
///   y = residual + (x as To + bias)          redistribute_add<Invariant<tp>>(matmul(h, w), bias, residual)
///
///   x  [b,s,h]{P:tp}    bias  [h]         residual  [b,s,h]        y  [b,s,h]         To: Invariant<tp>
///   x  [b,s,h]{P:tp}    bias  [h]{R:tp}   residual  [b,s@tp,h]     y  [b,s@tp,h]      To: Shard<1, tp>
///
/// Where ranks read one another's memory each adds the bias and the residual only to the part of the sum that
/// it computes. A redistribution that is not one sum over ranks is followed by the additions.
///
/// @pre    the bias' extents are x's last ones, the residual's are x's
/// @post   to the bit what add(residual, add(redistribute<To...>(x), bias)) is
/// @comm   as redistribute, forward and backward
/// @throws tpx::Error naming the operands where the extents differ
template <class... To, class X, class B, class... R>
auto redistribute_add(X&& x, const B& bias, const R&... residual) {
  using Given = std::remove_cvref_t<X>;
  static_assert(sizeof...(R) <= 1, "tpx::redistribute_add: a bias, and at most one residual");
  if constexpr (!Tensor<Given> || !Tensor<B> || !(Tensor<R> && ...)) {
    return detail::refused_again(x, bias, residual...);
  } else {
    using Moved = detail::redistributed<Given, To...>;
    if constexpr (detail::adds_on_the_way<Given, Moved, B, R...>()) {
      Buffer shard = x.shard();
      if constexpr (!std::is_lvalue_reference_v<X> && !std::is_const_v<X>)
        shard = std::forward<X>(x).take_shard();
      using Y = DTensor<typename Moved::element_type, Moved::ndim, typename Moved::layout_type,
                        typename Moved::mesh_type, detail::track_of<Given, B, R...>>;
      return detail::sum_and_add<Y>(x, std::move(shard), bias, residual...);
    } else if constexpr (sizeof...(R) == 0) {
      return add(redistribute<To...>(std::forward<X>(x)), bias);
    } else {
      return add(residual..., add(redistribute<To...>(std::forward<X>(x)), bias));
    }
  }
}

}  // namespace tpx
