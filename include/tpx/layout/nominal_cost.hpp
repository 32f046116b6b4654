// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/layout/step.hpp>

/// What a step of a plan costs where neither a tensor's extents nor a mesh's sizes are known.
namespace tpx::detail {

/// Axis sizes that the search assumes: a plan depends on the two layouts alone, not on a mesh's sizes.
inline constexpr int nominal_axis_size = 8;

/// Elements of the whole tensor that the search assumes, divisible by every product of axis sizes.
inline constexpr std::int64_t nominal_count = 1ll << 30;

constexpr std::int64_t nominal_local_count(Spec spec) {
  std::int64_t n = nominal_count;
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == Kind::shard) n /= nominal_axis_size;
  return n;
}

/// Elements that one rank must send in a move, by the lower bounds that ring algorithms reach: (p-1)/p of
/// the larger buffer, twice for an all-reduce.
constexpr std::int64_t nominal_cost(Move move, unsigned axes, Spec from, Spec to) {
  const std::int64_t before = nominal_local_count(from);
  const std::int64_t after = nominal_local_count(to);
  std::int64_t p = 1;
  for (int a = 0; a < max_axes; ++a)
    if (axes >> a & 1u) p *= nominal_axis_size;
  switch (move) {
    case Move::all_reduce:
      return 2 * (before - before / p);
    case Move::all_gather:
      return after - after / p;
    case Move::reduce_scatter:
      return before - before / p;
    case Move::all_to_all:
      return before - before / p;
    case Move::permute:
      return before;
    default:
      return 0;
  }
}

constexpr std::int64_t nominal_cost(const Step& step) {
  return nominal_cost(step.move, step.axes, step.from, step.to);
}

}  // namespace tpx::detail
