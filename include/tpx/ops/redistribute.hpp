// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/ops/op.hpp>
#include <tpx/tensor/run_plan.hpp>

namespace tpx {

namespace detail {

/// The gradient goes the forward's steps back, each transposed.
template <class T, class Mesh>
void redistribute_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::redist_bwd");
  tape.template give<T>(r.in[0], run_plan<T>(tape.mesh(), *r.plan, r.shape, tape.gradient_buffer(r.out)));
}

template <std::uint32_t From, std::uint32_t To>
inline constexpr Plan backward_plan_v = transposed(plan_v<From, To>);

}  // namespace detail

/// Changes the layout of a tensor; the one place where values move between ranks for a layout's sake.
///
///   redistribute<Replicate<tp>>(x)           the axes that are named change, the others stay as they are
///   redistribute<layout_t<Shard<0, dp>>>(x)  the whole layout
///
/// The steps are found while the program compiles (plan_v): the cheapest in elements sent, forward and
/// backward together. An axis that comes to split a dim splits it last.
///
/// @post   the same tensor; where no step moves anything, the same memory
/// @comm   forward: each step's collective, of elements(step, shape, grid) elements, over the step's axes.
///         backward: the transposed steps in reverse: after all-gather reduce-scatter, after `I to R`, which
///         is free, all-reduce
template <class... To, Tensor X>
auto redistribute(const X& x) {
  using Mesh = typename X::mesh_type;
  using L = with_t<typename X::layout_type, To...>;
  using T = typename X::element_type;
  using Y = DTensor<T, X::ndim, L, Mesh, detail::track_of<X>>;
  constexpr const Plan& plan = plan_v<X::spec.bits, Y::spec.bits>;
  const detail::Region region("tpx::redist");
  Distribution(x.shape(), Y::spec, x.mesh().grid()).check(name(element_v<T>), Mesh::names());
  Y y(x.mesh(), x.shape(), detail::run_plan<T>(x.mesh(), plan, x.shape(), x.shard()));
  return detail::record(
      std::move(y), &detail::redistribute_backward<T, Mesh>,
      [&](auto& r) {
        r.plan = &detail::backward_plan_v<X::spec.bits, Y::spec.bits>;
        r.shape = x.shape();
      },
      x);
}

template <class... To>
refused redistribute(refused) {
  return {};
}

}  // namespace tpx
