// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/kernel/copy.hpp>
#include <tpx/layout/meeting.hpp>
#include <tpx/layout/plan.hpp>
#include <tpx/tensor/collective.hpp>
#include <tpx/tensor/dtensor.hpp>

/// Carries out the steps of a redistribution. Nothing here depends on a layout's type: a plan is data, and
/// one text serves all of them.
namespace tpx::detail {

/// Whether a step does anything on this mesh.
template <class Mesh>
bool step_moves(const Mesh& mesh, const Step& step) {
  return step.move != Move::relabel && mesh.grid().ranks(step.axes) > 1;
}

/// One step of a plan on this rank's shard.
template <class T, class Mesh>
class StepRunner {
 public:
  /// @pre step_moves(mesh, step)
  StepRunner(const Mesh& mesh, const Step& step, const Shape& global)
      : mesh_(mesh),
        step_(step),
        from_(global, step.from, mesh.grid()),
        to_(global, step.to, mesh.grid()),
        before_(from_.local()),
        after_(to_.local()),
        axis_(std::countr_zero(step.axes)),
        ranks_(mesh.grid().ranks(step.axes)),
        place_(mesh.grid().coordinate[axis_]) {}

  Buffer run(Buffer in) {
    switch (step_.move) {
      case Move::zero_elsewhere: return zero_elsewhere(std::move(in));
      case Move::slice: return slice(in);
      case Move::zero_pad: return zero_pad(in);
      case Move::all_reduce: return all_reduce(std::move(in));
      case Move::all_gather: return all_gather(in);
      case Move::reduce_scatter: return reduce_scatter(in);
      case Move::all_to_all: return all_to_all(in);
      case Move::permute: return permute(in);
      case Move::relabel: break;
    }
    return in;
  }

 protected:
  /// The first rank along the axis keeps its value as the one term that is not zero.
  Buffer zero_elsewhere(Buffer in) {
    if (place_ == 0) return in;
    Buffer out = memory(after_.count());
    fill_zero(out, after_.count());
    return out;
  }

  Buffer slice(const Buffer& in) {
    const int d = step_.to[axis_].dim;
    const std::int64_t inner = after_.count(d + 1, after_.ndim());
    const std::int64_t first = to_.piece(d).offset - from_.piece(d).offset;
    Buffer out = memory(after_.count());
    copy_block(in.as<T>() + first * inner, before_[d] * inner, out.as<T>(), after_[d] * inner, before_.count(0, d));
    return out;
  }

  Buffer zero_pad(const Buffer& in) {
    const int d = step_.from[axis_].dim;
    const std::int64_t inner = before_.count(d + 1, before_.ndim());
    const std::int64_t first = from_.piece(d).offset - to_.piece(d).offset;
    Buffer out = memory(after_.count());
    fill_zero(out, after_.count());
    copy_block(in.as<T>(), before_[d] * inner, out.as<T>() + first * inner, after_[d] * inner, before_.count(0, d));
    return out;
  }

  Buffer all_reduce(Buffer in) {
    const std::int64_t n = before_.count();
    const Reduction reduction = step_.from[axis_].reduction;
    // Summed where the terms lie only where that is faster: of less every rank reads all terms at once.
    if (in.unique() && n * std::int64_t{sizeof(T)} > 64 * 1024) {
      detail::all_reduce(mesh_, step_.axes, in.as<T>(), in.as<T>(), n, reduction);
      return in;
    }
    Buffer out = memory(n);
    detail::all_reduce(mesh_, step_.axes, in.as<T>(), out.as<T>(), n, reduction);
    return out;
  }

  Buffer all_gather(const Buffer& in) {
    const int d = step_.from[axis_].dim;
    const std::int64_t rows = before_.count(0, d);
    Buffer gathered = memory(after_.count());  // (ranks, rows, width)
    if (even(step_.from)) {
      const std::int64_t width = before_.count(d, before_.ndim());
      if (rows > 1 && read_in_place(comm::Collective::all_gather, in, after_.count(),
                                    [&](const T* shard, std::int64_t k) {
                                      copy_block(shard, width, gathered.as<T>() + k * width, ranks_ * width, rows);
                                    }))
        return gathered;
      detail::all_gather(mesh_, step_.axes, in.as<T>(), gathered.as<T>(), before_.count());
      return swap_outer(std::move(gathered), ranks_, rows, before_.count(d, before_.ndim()));
    }
    const std::vector<Piece> pieces = meetings(to_, from_, d);
    detail::all_gather(mesh_, step_.axes, in.as<T>(), gathered.as<T>(), counts(pieces, after_, d));
    return unpack(std::move(gathered), pieces, d);
  }

  Buffer reduce_scatter(const Buffer& in) {
    const int d = step_.to[axis_].dim;
    const Reduction reduction = step_.from[axis_].reduction;
    Buffer out = memory(after_.count());
    if (even(step_.to)) {
      const Buffer pieces = swap_outer(in, after_.count(0, d), ranks_, after_.count(d, after_.ndim()));
      detail::reduce_scatter(mesh_, step_.axes, pieces.as<T>(), out.as<T>(), after_.count(), reduction);
    } else {
      const std::vector<Piece> pieces = meetings(from_, to_, d);
      const Buffer packed = pack(in, pieces, d);
      detail::reduce_scatter(mesh_, step_.axes, packed.as<T>(), out.as<T>(), counts(pieces, before_, d), reduction);
    }
    return out;
  }

  /// Splits dim j into pieces for the ranks, and puts the pieces of dim i that come back in their order.
  Buffer all_to_all(const Buffer& in) {
    const int i = step_.from[axis_].dim;
    const int j = step_.to[axis_].dim;
    if (!even(step_.from) || !even(step_.to)) return exchange(in, j, i);
    Shape piece = before_;
    piece[j] = after_[j];
    if (Buffer whole = exchange_in_place(in, i, j); whole) return whole;
    const Buffer outgoing = swap_outer(in, piece.count(0, j), ranks_, piece.count(j, piece.ndim()));
    Buffer incoming = memory(after_.count());
    detail::all_to_all(mesh_, step_.axes, outgoing.as<T>(), incoming.as<T>(), piece.count());
    return swap_outer(std::move(incoming), ranks_, piece.count(0, i), piece.count(i, piece.ndim()));
  }

  /// Takes the pieces of dim j out of the shards of the others where they lie, and puts them in their order along
  /// dim i. Empty where shards cannot be read there.
  Buffer exchange_in_place(const Buffer& in, int i, int j) {
    Buffer out = memory(after_.count());
    // Of the two dims one lies outside: (outer, first, between, second, inner).
    const int first = i < j ? i : j;
    const int second = i < j ? j : i;
    const std::int64_t outer = before_.count(0, first);
    const std::int64_t between = before_.count(first + 1, second);
    const std::int64_t theirs = before_.count(second, before_.ndim());  // a row of a shard
    const std::int64_t ours = after_.count(second, after_.ndim());      // and of the result
    const std::int64_t width = theirs < ours ? theirs : ours;
    const std::int64_t rows = (i < j ? before_[first] : after_[first]) * between;
    const bool done = read_in_place(
        comm::Collective::all_to_all, in, before_.count(), [&](const T* shard, std::int64_t k) {
          for (std::int64_t o = 0; o < outer; ++o) {
            const T* src = shard + o * before_[first] * between * theirs;
            T* dst = out.as<T>() + o * after_[first] * between * ours;
            if (i < j) {
              src += place_ * width;
              dst += k * rows * ours;
            } else {
              src += place_ * rows * theirs;
              dst += k * width;
            }
            copy_block(src, theirs, dst, ours, rows);
          }
        });
    return done ? out : Buffer();
  }

  template <class Copy>
  bool read_in_place(comm::Collective what, const Buffer& in, std::int64_t elements, Copy copy) {
    return detail::read_in_place<T>(mesh_, step_.axes, what, in.as<T>(), before_.count(), elements, copy);
  }

  /// The axes on a dim change their order: the piece with number m, counted along the old order, belongs to
  /// the rank that has number m along the new one. Where the cuts change, pieces meet several others.
  Buffer permute(const Buffer& in) {
    if (!even(step_.from) || !even(step_.to)) return exchange(in, step_.from[axis_].dim, step_.from[axis_].dim);
    const int to = partner(step_.from, step_.to);
    const int from = partner(step_.to, step_.from);
    // A rank whose piece stays sends it to itself: all ranks do, and count, the same.
    Buffer out = memory(after_.count());
    detail::send_recv(mesh_, step_.axes, in.as<T>(), to, out.as<T>(), from, before_.count());
    return out;
  }

  // ---- uneven pieces ----------------------------------------------------------------------------

  bool even(Spec spec) const { return partition_of(spec, spec[axis_].dim) == Partition::even; }

  /// To each rank along the step's axes what its shard after the step has in common with this one's before:
  /// told apart along dim `sent` of the latter; what comes back along dim `received` of the former.
  Buffer exchange(const Buffer& in, int sent, int received) {
    const std::vector<Piece> to = meetings(from_, to_, sent);
    const std::vector<Piece> from = meetings(to_, from_, received);
    const Buffer outgoing = pack(in, to, sent);
    Buffer incoming = memory(after_.count());
    detail::all_to_all(mesh_, step_.axes, outgoing.as<T>(), counts(to, before_, sent), incoming.as<T>(),
                       counts(from, after_, received));
    return unpack(std::move(incoming), from, received);
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
      copy_block(in.as<T>() + piece.offset * inner, before_[dim] * inner, to, width, rows);
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
      copy_block(from, width, out.as<T>() + piece.offset * inner, after_[dim] * inner, rows);
      from += rows * width;
    }
    return out;
  }

  /// Rank, among those along the step's axes, that has the number along `theirs` which this rank has along `mine`.
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

  /// (n0, n1, width) to (n1, n0, width); nothing moves where one of them is 1.
  Buffer swap_outer(Buffer in, std::int64_t n0, std::int64_t n1, std::int64_t width) {
    if (n0 == 1 || n1 == 1) return in;
    const std::int64_t n = n0 * n1 * width;
    Buffer out = memory(n);
    mesh_.context().launch(moved(n), [&](const auto& exec) {
      kernel::permute(exec, static_cast<const T*>(in.as<T>()), out.as<T>(), n0, n1, width);
    });
    return out;
  }

  void copy_block(const T* src, std::int64_t src_stride, T* dst, std::int64_t dst_stride, std::int64_t rows) {
    const std::int64_t width = src_stride < dst_stride ? src_stride : dst_stride;
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

/// This rank's shard after all steps of a plan; the operand's own memory where no step moves anything.
/// @comm each step's, of elements(step, global, grid) elements
template <class T, class Mesh>
Buffer run_plan(const Mesh& mesh, const Plan& plan, const Shape& global, Buffer shard) {
  for (int i = 0; i < plan.count; ++i)
    if (step_moves(mesh, plan.step[i])) shard = StepRunner<T, Mesh>(mesh, plan.step[i], global).run(std::move(shard));
  return shard;
}

}  // namespace tpx::detail
