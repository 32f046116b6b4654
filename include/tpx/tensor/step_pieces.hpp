// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include <tpx/kernel/copy.hpp>
#include <tpx/layout/meeting.hpp>
#include <tpx/layout/step.hpp>
#include <tpx/tensor/collective.hpp>
#include <tpx/tensor/dtensor.hpp>

namespace tpx::detail {

/// A step of a redistribution as one rank sees it: its shard before and after, and how pieces of both lie in
/// memory.
template <class T, class Mesh>
class StepPieces {
 public:
  /// @pre step_moves(mesh, step)
  StepPieces(const Mesh& mesh, const Step& step, const Shape& global)
      : mesh_(mesh),
        step_(step),
        from_(global, step.from, mesh.grid()),
        to_(global, step.to, mesh.grid()),
        before_(from_.local()),
        after_(to_.local()),
        axis_(std::countr_zero(step.axes)),
        ranks_(mesh.grid().ranks(step.axes)),
        place_(mesh.grid().coordinate[axis_]) {}

 protected:
  bool even(Spec spec) const { return partition_of(spec, spec[axis_].dim) == Partition::even; }

  /// Whether the pieces, besides, follow each other as the ranks along the step's axes do.
  bool even_in_order(Spec spec) const {
    int last = -1;
    for (int order = 0; order < shard_count(spec, spec[axis_].dim); ++order) {
      const int a = shard_axis(spec, spec[axis_].dim, order);
      if (!(step_.axes >> a & 1u)) continue;
      if (a < last) return false;
      last = a;
    }
    return even(spec);
  }

  std::vector<Piece> meetings(const Distribution& mine, const Distribution& theirs, int dim) const {
    return detail::meetings(mine, theirs, dim, step_.axes, mesh_.grid());
  }

  /// The pieces of dim `dim` of the shard before the step, one after the other.
  Buffer pack(const Buffer& in, const std::vector<Piece>& pieces, int dim) {
    if (lie_dense(pieces, before_, dim)) return in;
    const std::int64_t rows = before_.count(0, dim), inner = before_.count(dim + 1, before_.ndim());
    Buffer out = memory(before_.count());
    T* to = out.as<T>();
    for (const Piece& piece : pieces) {
      const std::int64_t width = piece.extent * inner;
      copy_block(in.as<T>() + piece.offset * inner, before_[dim] * inner, to, width, rows, width);
      to += rows * width;
    }
    return out;
  }

  /// The shard after the step of pieces of its dim `dim` that lie one after the other.
  Buffer unpack(Buffer in, const std::vector<Piece>& pieces, int dim) {
    if (lie_dense(pieces, after_, dim)) return in;
    const std::int64_t rows = after_.count(0, dim), inner = after_.count(dim + 1, after_.ndim());
    Buffer out = memory(after_.count());
    const T* from = in.as<T>();
    for (const Piece& piece : pieces) {
      const std::int64_t width = piece.extent * inner;
      copy_block(from, width, out.as<T>() + piece.offset * inner, after_[dim] * inner, rows, width);
      from += rows * width;
    }
    return out;
  }

  /// Rank, among those along the step's axes, that has the number along `theirs` which this rank has along
  /// `mine`.
  int partner(Spec mine, Spec theirs) const {
    const Grid& grid = mesh_.grid();
    const int dim = mine[axis_].dim;
    int number = 0;
    for (int order = 0; order < shard_count(mine, dim); ++order) {
      const int a = shard_axis(mine, dim, order);
      if (step_.axes >> a & 1u) number = number * grid.size[a] + grid.coordinate[a];
    }
    int coordinate[max_axes]{};
    for (int order = shard_count(theirs, dim) - 1; order >= 0; --order) {
      const int a = shard_axis(theirs, dim, order);
      if (!(step_.axes >> a & 1u)) continue;
      coordinate[a] = number % grid.size[a];
      number /= grid.size[a];
    }
    return rank_among(coordinate);
  }

  int rank_among(const int* coordinate) const {
    int rank = 0;
    for (int a = 0; a < mesh_.grid().axes; ++a)
      if (step_.axes >> a & 1u) rank = rank * mesh_.grid().size[a] + coordinate[a];
    return rank;
  }

  void copy_block(const T* src, std::int64_t src_stride, T* dst, std::int64_t dst_stride, std::int64_t rows,
                  std::int64_t width) {
    if (rows * width == 0) return;
    mesh_.context().launch(moved(rows * width), [&](const auto& exec) {
      kernel::copy_block(exec, src, src_stride, dst, dst_stride, rows, width);
    });
  }

  void fill_zero(const Buffer& out, std::int64_t n) {
    mesh_.context().launch({0, n * std::int64_t{sizeof(T)}},
                           [&](const auto& exec) { kernel::fill(exec, out.as<T>(), n, T(0)); });
  }

  Buffer memory(std::int64_t count) const { return allocate<T>(mesh_, count); }
  static Work moved(std::int64_t n) { return {0, 2 * n * std::int64_t{sizeof(T)}}; }

  const Mesh& mesh_;
  const Step& step_;
  Distribution from_;
  Distribution to_;
  Shape before_;
  Shape after_;
  int axis_;
  std::int64_t ranks_;
  std::int64_t place_;
};

}  // namespace tpx::detail
