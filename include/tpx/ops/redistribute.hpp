// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <type_traits>

#include <tpx/layout/ragged.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/tensor/run_plan.hpp>

namespace tpx {

namespace detail {

/// The gradient goes the forward's steps back, each transposed.
template <class T, class Mesh>
void redistribute_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::redist_bwd");
  tape.template give<T>(r.in[0], run_plan<T>(tape.mesh(), *r.plan, r.shape, tape.take_gradient(r.out)));
}

template <std::uint32_t From, std::uint32_t To>
inline constexpr Plan backward_plan_v = transposed(plan_v<From, To>);

template <bool fits, class... Facts>
constexpr void a_maximum_was_detached() {
  static_assert(
      fits,
      "tpx::redistribute: a maximum or minimum over ranks has no gradient: detach what it is computed "
      "from, as in max<1>(detach(x)) (see operand)");
}

template <bool fits, class... Facts>
constexpr void placements_stand_in_angle_brackets() {
  static_assert(
      fits,
      "tpx::redistribute: the new placements stand in angle brackets: redistribute<Replicate<tp>>(x), "
      "or redistribute<layout_t<...>>(x) (see given)");
}
/// Whether T is a layout or a placement.
template <class T>
inline constexpr bool says_where = is_layout<T> || parts<T>::axes::size > 0;

/// The shape of a redistributed tensor, and the one that all steps go by.
struct Way {
  Shape global;
  Shape steps;
};

/// @throws tpx::Error where the new layout does not fit the shape
template <class X, class Y>
Way way_of(const X& x, const Shape& shape) {
  using Mesh = typename X::mesh_type;
  TPX_EXPECTS(shape == x.shape(), "a redistribution does not change extents");
  Way way{x.shape(), x.shape()};
  if constexpr (is_ragged(X::spec) || is_ragged(Y::spec)) {
    way.global = with_pieces_of(x.shape(), shape, Y::spec);
    way.steps = shape_on_the_way(x.shape(), X::spec, way.global, Y::spec, x.mesh().grid());
  }
  Distribution(way.global, Y::spec, x.mesh().grid())
      .check(name(element_v<typename X::element_type>), Mesh::names());
  return way;
}

template <class X, class Y>
Y record_redistribution(Y y, const Way& way, const X& x) {
  return record(
      std::move(y), &redistribute_backward<typename X::element_type, typename X::mesh_type>,
      [&](auto& r) {
        r.plan = &backward_plan_v<X::spec.bits, Y::spec.bits>;
        r.shape = way.steps;
      },
      x);
}

/// redistribute of x, whose shard is given apart: perhaps to be overwritten.
template <class... To, class X>
auto redistribute_shard(const X& x, const Shape& shape, Buffer shard) {
  using Mesh = typename X::mesh_type;
  using L = with_t<typename X::layout_type, To...>;
  using T = typename X::element_type;
  using Y = DTensor<T, X::ndim, L, Mesh, track_of<X>>;
  constexpr bool may = !is_on_tape<X> || has_gradient(X::spec);
  a_maximum_was_detached<may, operand<0, typename X::layout_type>>();
  if constexpr (!may) {
    return refused{};
  } else {
    const Region region("tpx::redist");
    const Way way = way_of<X, Y>(x, shape);
    constexpr const Plan& plan = plan_v<X::spec.bits, Y::spec.bits>;
    shard.fetch();
    Y y(x.mesh(), way.global, run_plan<T>(x.mesh(), plan, way.steps, std::move(shard)));
    return record_redistribution(std::move(y), way, x);
  }
}

}  // namespace detail

/// Changes the layout of a tensor; the one place where values move between ranks for a layout's sake.
///
///   redistribute<Replicate<tp>>(x)           the axes that are named change, the others stay as they are
///   redistribute<layout_t<Shard<0, dp>>>(x)  the whole layout
///   redistribute<Shard<0, Ragged, tp>>(x, x.shape().with_pieces(0, {3, 0, 7}))   into pieces of these sizes
///
/// The steps are found while the program compiles (plan_v): the cheapest in elements sent, forward and
/// backward together. An axis that comes to split a dim splits it last. Where a dim comes to be split Ragged,
/// the second argument says into what pieces.
///
/// @pre    the shape has the extents of x
/// @post   the same tensor; where no step moves anything, the same memory
/// @comm   forward: each step's collective, of elements(step, shape, grid) elements, over the step's axes.
///         backward: the transposed steps in reverse: after all-gather reduce-scatter, after `I to R`, which
///         is free, all-reduce
/// @throws tpx::Error where the new layout does not fit the shape: an Even dim that its axes do not divide, a
///         Ragged one without the sizes of its pieces, or with others where the same axes split it Ragged
///         already
template <class... To, Tensor X>
[[nodiscard]] auto redistribute(const X& x, const Shape& shape) {
  return detail::redistribute_shard<To...>(x, shape, x.shard());
}
template <class... To, Tensor X>
[[nodiscard]] auto redistribute(const X& x) {
  return detail::redistribute_shard<To...>(x, x.shape(), x.shard());
}
/// The memory of a tensor that goes with the call may become the result's.
template <class... To, Tensor X>
[[nodiscard]] auto redistribute(X&& x) {
  Buffer shard = std::move(x).take_shard();
  return detail::redistribute_shard<To...>(x, x.shape(), std::move(shard));
}

template <Tensor X, class To>
requires(detail::says_where<To>) refused redistribute(const X&, const To&) {
  detail::placements_stand_in_angle_brackets<std::is_void_v<To>, detail::given<To>>();
  return {};
}
template <class... To>
refused redistribute(refused, const Shape& = {}) {
  return {};
}

}  // namespace tpx
