// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/layout/distribution.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// One step of a redistribution.
enum class Move : unsigned char {
  relabel,         ///< the same values: I and R, R to Partial<Max>, Even and Balanced
  zero_elsewhere,  ///< to P: one rank keeps its value, the others get zeros
  slice,           ///< to S: each rank keeps its piece
  zero_pad,        ///< S to P: the piece in a field of zeros
  all_reduce,      ///< P to I or R, over one axis or several at once
  all_gather,      ///< S to I or R
  reduce_scatter,  ///< P to S
  all_to_all,      ///< S(i) to S(j)
  permute          ///< the axes on one dim change their order or where they cut it
};

constexpr bool communicates(Move move) { return move >= Move::all_reduce; }

constexpr const char* name(Move move) {
  constexpr const char* names[] = {"relabel",    "zero_elsewhere", "slice",      "zero_pad", "all_reduce",
                                   "all_gather", "reduce_scatter", "all_to_all", "permute"};
  return names[static_cast<int>(move)];
}

/// A step changes the states of `axes` (a bit for each) from those in `from` to those in `to`. A collective
/// runs once over all of its axes: those of an all-reduce end as I or as R, those of a reduce-scatter are the
/// last on their dim afterwards, those of an all-gather before.
struct Step {
  Move move = Move::relabel;
  unsigned axes = 0;
  Spec from{};
  Spec to{};
};

/// The steps from one layout to another.
struct Plan {
  static constexpr int max_steps = 12;
  int count = 0;
  Step step[max_steps]{};
};

namespace detail {

/// What changing one axis from one state to another takes. A step that changes where a dim is cut is made
/// apart from the others; what is left of them here only changes the name.
constexpr Move move_between(AxisState from, AxisState to) {
  switch (from.kind) {
    case Kind::invariant:
    case Kind::replicate:
      if (to.kind == Kind::shard) return Move::slice;
      // The largest of equal terms is the term; their sum has to be made of it and zeros.
      return to.kind == Kind::partial && to.reduction == Reduction::sum ? Move::zero_elsewhere : Move::relabel;
    case Kind::partial:
      return to.kind == Kind::shard ? Move::reduce_scatter : Move::all_reduce;
    case Kind::shard:
      if (to.kind == Kind::shard) return to.dim == from.dim ? Move::relabel : Move::all_to_all;
      return to.kind == Kind::partial ? Move::zero_pad : Move::all_gather;
  }
  return Move::relabel;
}

/// The step backwards, between the duals: of `S to R`, an all-gather, it is `P to S`, a reduce-scatter.
constexpr Step transposed(const Step& step) {
  Step back{Move::relabel, 0, dual(step.to), dual(step.from)};
  if (step.move == Move::permute) return {Move::permute, step.axes, back.from, back.to};
  for (int a = 0; a < max_axes; ++a) {
    if (!(step.axes >> a & 1u)) continue;
    const Move move = move_between(back.from[a], back.to[a]);
    // A fused all-reduce that left some axes I and some R goes back by an all-reduce over the latter.
    if (move == Move::relabel) continue;
    back.move = move;
    back.axes |= 1u << a;
  }
  if (back.axes == 0) back.axes = step.axes;
  return back;
}

}  // namespace detail

/// The steps of the gradient: the plan's own, transposed, in reverse.
constexpr Plan transposed(const Plan& plan) {
  Plan back{};
  back.count = plan.count;
  for (int i = 0; i < plan.count; ++i) back.step[i] = detail::transposed(plan.step[plan.count - 1 - i]);
  return back;
}

/// Elements of the larger of a rank's send and receive buffers in a step, 0 where nothing is sent.
///
/// all-reduce: its shard;  all-gather: the shard after;  reduce-scatter: the one before;  all-to-all, permute:
/// the larger of both. The unit in which collectives are counted at run time and predicted everywhere.
constexpr std::int64_t elements(const Step& step, const Shape& global, const Grid& grid) {
  if (!communicates(step.move) || grid.ranks(step.axes) == 1) return 0;
  const std::int64_t before = Distribution(global, step.from, grid).local().count();
  const std::int64_t after = Distribution(global, step.to, grid).local().count();
  switch (step.move) {
    case Move::all_gather:
      return after;
    case Move::all_to_all:
    case Move::permute:
      return before < after ? after : before;
    default:
      return before;
  }
}

}  // namespace tpx
