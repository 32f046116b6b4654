// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tpx/layout/distribution.hpp>
#include <tpx/layout/op_rule.hpp>

/// Where the sizes of Ragged pieces go: with a tensor through a redistribution, and from operands to results.
namespace tpx::detail {

/// `extents` with the sizes that `shape` gives for the dims which `spec` splits Ragged, and no others.
inline Shape with_pieces_of(const Shape& extents, const Shape& shape, Spec spec) {
  if (!is_ragged(spec)) return extents.with_pieces(Pieces{});
  std::vector<PieceTable> tables;
  for (int d = 0; d < extents.ndim(); ++d) {
    const std::span<const std::int64_t> sizes = shape.pieces(d);
    if (partition_of(spec, d) == Partition::ragged && !sizes.empty())
      tables.push_back({d, 0, {sizes.begin(), sizes.end()}});
  }
  return extents.with_pieces(Pieces(std::move(tables)));
}

/// Sums of `sizes` over `pieces` groups of neighbours.
inline std::vector<std::int64_t> coarser(std::span<const std::int64_t> sizes, std::size_t pieces) {
  std::vector<std::int64_t> sums(pieces);
  const std::size_t group = sizes.size() / pieces;
  for (std::size_t i = 0; i < pieces * group; ++i) sums[i / group] += sizes[i];
  return sums;
}

/// The shape that all steps between two layouts go by: it has the sizes of both.
/// @throws tpx::Error where axes that split a dim Ragged before and after would have to cut it otherwise
inline Shape shape_on_the_way(const Shape& before, Spec from, const Shape& after, Spec to, const Grid& grid) {
  std::vector<PieceTable> tables;
  for (int d = 0; d < before.ndim(); ++d) {
    const std::span<const std::int64_t> old_sizes = before.pieces(d);
    const std::span<const std::int64_t> new_sizes = after.pieces(d);
    const bool was = partition_of(from, d) == Partition::ragged;
    const bool will = partition_of(to, d) == Partition::ragged;
    if (was) tables.push_back({d, axis_order(from, d), {old_sizes.begin(), old_sizes.end()}});
    if (will) tables.push_back({d, axis_order(to, d), {new_sizes.begin(), new_sizes.end()}});
    if (!was || !will) continue;
    std::size_t common = 1;  // pieces, by the axes that come first both times
    for (int order = 0; order < shard_count(from, d); ++order) {
      const int a = shard_axis(from, d, order);
      if (shard_axis(to, d, order) != a) break;
      common *= static_cast<std::size_t>(grid.size[a]);
    }
    if (common > 1 && coarser(old_sizes, common) != coarser(new_sizes, common))
      fail("tpx::redistribute: dim " + std::to_string(d) +
           " is split Ragged by the same axes before and after, and into other pieces: redistribute it to "
           "Replicate "
           "first");
  }
  return tables.empty() ? before : before.with_pieces(Pieces(std::move(tables)));
}

/// The result's extents with the sizes of its Ragged pieces, which are those of the operands that have them.
/// @throws tpx::Error where two operands cut one factor at different places
inline Shape with_operands_pieces(const Shape& global, const OpRule& rule, Spec result,
                                  std::span<const std::pair<const Shape*, Spec>> operands) {
  std::vector<PieceTable> tables;
  std::vector<std::pair<int, std::span<const std::int64_t>>> seen;  // by factor
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const auto& [shape, spec] = operands[i];
    for (int d = 0; d < rule.ndim[i]; ++d) {
      if (partition_of(spec, d) != Partition::ragged) continue;
      const int f = rule.factor[i][d];
      const std::span<const std::int64_t> sizes = shape->pieces(d);
      bool known = false;
      for (const auto& [factor, first] : seen) {
        if (factor != f) continue;
        known = true;
        if (!std::equal(first.begin(), first.end(), sizes.begin(), sizes.end()))
          fail("tpx: the operands of an op cut a Ragged dim at different places: dim " + std::to_string(d) +
               " of operand " + std::to_string(i));
      }
      if (known) continue;
      seen.emplace_back(f, sizes);
      const int kept = rule.result_dim_of(f);
      if (kept >= 0 && partition_of(result, kept) == Partition::ragged)
        tables.push_back({kept, 0, {sizes.begin(), sizes.end()}});
    }
  }
  return global.with_pieces(Pieces(std::move(tables)));
}

}  // namespace tpx::detail
