// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <concepts>

#include <tpx/autodiff/tape.hpp>
#include <tpx/layout/refusal.hpp>

namespace tpx {

namespace detail {

template <bool fits, class... Facts>
constexpr void a_loss_is_a_scalar() {
  static_assert(fits, "tpx::backward: a loss has no dims: sum it first");
}
template <bool fits, class... Facts>
constexpr void a_loss_is_on_a_tape() {
  static_assert(fits,
                "tpx::backward: the loss is computed from a tensor on a tape: tape.input(x) or tape.watch(x)");
}
template <bool fits, class... Facts>
constexpr void a_loss_is_not_replicate() {
  static_assert(
      fits,
      "tpx::backward: a loss is Invariant or Partial on each axis: the gradient of a Replicate one would "
      "be counted once per rank; redistribute<Invariant<axis>>(loss) is free (see loss)");
}
template <class L>
struct loss;
template <bool fits, class... Facts>
constexpr void a_gradient_is_of_the_dual_layout() {
  static_assert(fits,
                "tpx::backward: a value's gradient is a tensor off the tape, of the value's element and dims, "
                "and of the dual layout: Partial where the value is Replicate, and the other way round "
                "(see value_is, gradient_is)");
}
template <class X>
struct value_is;
template <class X>
struct gradient_is;

}  // namespace detail

/// Computes the gradients of a loss with respect to every watched tensor and every parameter it depends on.
///
///   seed: d loss / d loss = 1 on every rank, which is right for I (its dual is I) and for P (its dual is R)
///
/// @pre    the loss is on a tape, a scalar, I or P on each axis: with the batch split over dp it is the local
///         sum over the global count, P on dp
/// @post   tape.gradient(x) and gradient(parameter) hold the gradients, of dual layouts; those of parameters
///         are added to what was there
/// @comm   the transposed steps of every redistribute of the forward, in reverse
///
/// @param  final_gradient  called once for each parameter, final_gradient(ParameterState&), as soon as nothing
///         that is still to come in this backward adds to its gradient
template <Tensor X>
void backward(const X& loss, const typename Tape<typename X::mesh_type>::Final& final_gradient = {}) {
  constexpr bool on_tape = std::is_same_v<typename X::track_type, OnTape<typename X::mesh_type>>;
  constexpr bool no_replicate = detail::no_axis_is(X::spec, Kind::replicate);
  detail::a_loss_is_a_scalar<X::ndim == 0, detail::loss<typename X::layout_type>>();
  if constexpr (X::ndim == 0) detail::a_loss_is_on_a_tape<on_tape, detail::loss<typename X::layout_type>>();
  if constexpr (X::ndim == 0 && on_tape)
    detail::a_loss_is_not_replicate<no_replicate, detail::loss<typename X::layout_type>>();
  if constexpr (X::ndim == 0 && on_tape && no_replicate) {
    const detail::Region region("tpx::backward");
    loss.track().tape->template walk<typename X::element_type>(loss.track(), typename X::element_type(1),
                                                               final_gradient);
  }
}

/// The same from any value y, of which only the gradient of the loss is known: what a pipeline's stage gets
/// from the next one.
///
/// @param  dy  d loss / d y, of the dual layout
/// @pre    y is on a tape, and dy of its shape
template <Tensor Y, Tensor Dy>
void backward(const Y& y, const Dy& dy,
              const typename Tape<typename Y::mesh_type>::Final& final_gradient = {}) {
  using T = typename Y::element_type;
  using Mesh = typename Y::mesh_type;
  using L = typename Y::layout_type;
  constexpr bool on_tape = std::is_same_v<typename Y::track_type, OnTape<Mesh>>;
  detail::a_loss_is_on_a_tape<on_tape, detail::loss<L>>();
  if constexpr (on_tape) {
    constexpr bool dual = std::is_same_v<Dy, DTensor<T, Y::ndim, dual_t<L>, Mesh>>;
    detail::a_gradient_is_of_the_dual_layout<dual, detail::value_is<Y>, detail::gradient_is<Dy>>();
    if constexpr (dual) {
      const detail::Region region("tpx::backward");
      TPX_EXPECTS(y.shape() == dy.shape(), y.describe(), dy.describe());
      TPX_EXPECTS(y.mesh().is(dy.mesh()), y.mesh().coordinate_text(),
                  "a value and its gradient are on one mesh");
      y.track().tape->template walk<T>(y.track(), dy.shard(), final_gradient);
    }
  }
}

/// The value without its history: no gradient flows through it.
template <Tensor X>
auto detach(const X& x) {
  return DTensor<typename X::element_type, X::ndim, typename X::layout_type, typename X::mesh_type>(
      x.mesh(), x.shape(), x.shard());
}

template <class... More>
void backward(refused, const More&...) {}
template <Tensor Y, std::same_as<refused> Dy, class... More>
void backward(const Y&, const Dy&, const More&...) {}
inline refused detach(refused) { return {}; }

}  // namespace tpx
