// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <tpx/layout/distribution.hpp>

/// Which parts of a dim ranks have in common when pieces of different sizes are exchanged.
namespace tpx::detail {

/// The grid as it is seen by the rank that is number `rank` of those along `axes`, in their order.
inline Grid seen_by(int rank, unsigned axes, const Grid& grid) {
  Grid there = grid;
  for (int a = grid.axes - 1; a >= 0; --a) {
    if (!(axes >> a & 1u)) continue;
    there.coordinate[a] = rank % grid.size[a];
    rank /= grid.size[a];
  }
  return there;
}

/// What this rank's piece of a dim in one layout has in common with each rank's in another, for the ranks along
/// `axes` in their order, counted from the start of this rank's.
inline std::vector<Piece> meetings(const Distribution& mine, const Distribution& theirs, int dim, unsigned axes,
                                   const Grid& grid) {
  const Piece here = mine.piece(dim);
  std::vector<Piece> common;
  for (int rank = 0; rank < grid.ranks(axes); ++rank) {
    const Piece there = theirs.piece(dim, seen_by(rank, axes, grid).coordinate);
    const std::int64_t first = std::max(here.offset, there.offset);
    const std::int64_t last = std::min(here.offset + here.extent, there.offset + there.extent);
    common.push_back({first - here.offset, std::max<std::int64_t>(last - first, 0)});
  }
  return common;
}

/// Elements in each piece of dim `dim` of a shard.
inline std::vector<std::int64_t> counts(const std::vector<Piece>& pieces, const Shape& shard, int dim) {
  std::vector<std::int64_t> n;
  for (const Piece& piece : pieces)
    n.push_back(shard.count(0, dim) * piece.extent * shard.count(dim + 1, shard.ndim()));
  return n;
}

/// Whether the pieces lie in memory one after the other as they are.
inline bool lie_dense(const std::vector<Piece>& pieces, const Shape& shard, int dim) {
  std::int64_t next = 0;
  for (const Piece& piece : pieces) {
    if (piece.extent > 0 && piece.offset != next) return false;
    next += piece.extent;
  }
  return shard.count(0, dim) == 1;
}

}  // namespace tpx::detail
