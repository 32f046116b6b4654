// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tpx/comm/shared_memory_reduce.hpp>
#include <tpx/tensor/step_pieces.hpp>

namespace tpx::detail {

/// Steps whose shards lie in memory that all ranks see: each rank takes what it needs out of the shards of the
/// others where they lie, in one pass without packing. They return false, on every rank alike, where that
/// cannot be done; then nothing was done.
template <class T, class Mesh>
class StepInPlace : public StepPieces<T, Mesh> {
  using Base = StepPieces<T, Mesh>;

 public:
  using Base::Base;

 protected:
  using Base::after_;
  using Base::before_;
  using Base::from_;
  using Base::mesh_;
  using Base::step_;
  using Base::to_;

  /// What the shard after the step has in common with each rank's before it; they differ in how dims i and j
  /// are split, which may be one.
  ///
  /// @param even  whether all ranks exchange as many `elements`
  bool exchange_in_place(comm::Collective what, const Buffer& in, Buffer& out, int i, int j,
                         std::int64_t elements, bool even) {
    return read(what, in, elements, even, [&](std::span<const void* const> shards) {
      const std::size_t p = shards.size();
      for (std::size_t turn = 0; turn < p;
           ++turn) {  // each begins with its own, so that not all read one rank's
        const std::size_t k = (static_cast<std::size_t>(place()) + turn) % p;
        take(static_cast<const T*>(shards[k]), static_cast<int>(k), out.as<T>(), std::min(i, j),
             std::max(i, j));
      }
    });
  }

  /// The reduction of the pieces of dim `dim` that are this rank's after the step.
  bool reduce_in_place(const Buffer& in, Buffer& out, int dim, Reduction reduction) {
    const std::int64_t inner = after_.count(dim + 1, after_.ndim());
    const std::int64_t first = to_.piece(dim).offset - from_.piece(dim).offset;
    const std::int64_t width = after_[dim] * inner, rows = after_.count(0, dim);
    return read(
        comm::Collective::reduce_scatter, in, before_.count(), true, [&](std::span<const void* const> shards) {
          std::vector<const void*> terms(shards.size());
          mesh_.context().launch(Base::moved(rows * width), [&](const auto&) {
            for (std::int64_t row = 0; row < rows; ++row) {
              for (std::size_t k = 0; k < terms.size(); ++k)
                terms[k] = static_cast<const T*>(shards[k]) + (row * before_[dim] + first) * inner;
              comm::detail::combine_terms(out.as<T>() + row * width, terms, width, element_v<T>, reduction);
            }
          });
        });
  }

 private:
  /// A part of a dim that two shards have in common: where it starts in each.
  struct Common {
    std::int64_t theirs;
    std::int64_t ours;
    std::int64_t extent;
  };
  Common common(const Distribution& other, int dim) const {
    const Piece theirs = other.piece(dim), ours = to_.piece(dim);
    const std::int64_t first = std::max(theirs.offset, ours.offset);
    const std::int64_t last = std::min(theirs.offset + theirs.extent, ours.offset + ours.extent);
    return {first - theirs.offset, first - ours.offset, std::max<std::int64_t>(last - first, 0)};
  }

  /// Out of the shard that rank `k` along the step's axes had before it. Of shards (outer, first, between,
  /// second, inner), rows of the two last: dims `first` and `second` differ, the others are the same.
  void take(const T* shard, int k, T* out, int first, int second) {
    const Distribution other(from_.global(), step_.from, seen_by(k, step_.axes, mesh_.grid()));
    const Shape theirs = other.local();
    const std::int64_t inner = after_.count(second + 1, after_.ndim());
    const std::int64_t their_row = theirs[second] * inner, our_row = after_[second] * inner;
    const Common column = common(other, second);
    const T* const src = shard + column.theirs * inner;
    T* const dst = out + column.ours * inner;
    if (first == second) {
      this->copy_block(src, their_row, dst, our_row, after_.count(0, second), column.extent * inner);
      return;
    }
    const Common row = common(other, first);
    const std::int64_t between = after_.count(first + 1, second);
    for (std::int64_t o = 0; o < after_.count(0, first); ++o)
      this->copy_block(src + (o * theirs[first] + row.theirs) * between * their_row, their_row,
                       dst + (o * after_[first] + row.ours) * between * our_row, our_row, row.extent * between,
                       column.extent * inner);
  }

  template <class Read>
  bool read(comm::Collective what, const Buffer& in, std::int64_t elements, bool even, Read reader) {
    return read_in_place<T>(mesh_, step_.axes, what, in.as<T>(), before_.count(), elements, even, reader);
  }

  /// This rank's number along the step's axes.
  int place() const { return this->rank_among(mesh_.grid().coordinate); }
};

}  // namespace tpx::detail
