// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/kernel/copy.hpp>
#include <tpx/layout/meeting.hpp>
#include <tpx/layout/plan.hpp>
#include <tpx/tensor/collective.hpp>
#include <tpx/tensor/step_in_place.hpp>

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
class StepRunner : public StepInPlace<T, Mesh> {
  using Base = StepInPlace<T, Mesh>;

 public:
  /// @pre step_moves(mesh, step)
  using Base::Base;

  Buffer run(Buffer in) {
    switch (step_.move) {
      case Move::zero_elsewhere:
        return zero_elsewhere(std::move(in));
      case Move::slice:
        return slice(in);
      case Move::zero_pad:
        return zero_pad(in);
      case Move::all_reduce:
        return all_reduce(std::move(in));
      case Move::all_gather:
        return all_gather(in);
      case Move::reduce_scatter:
        return reduce_scatter(in);
      case Move::all_to_all:
        return all_to_all(in);
      case Move::permute:
        return permute(in);
      case Move::relabel:
        break;
    }
    return in;
  }

 protected:
  using Base::after_;
  using Base::axis_;
  using Base::before_;
  using Base::copy_block;
  using Base::even;
  using Base::even_in_order;
  using Base::fill_zero;
  using Base::from_;
  using Base::meetings;
  using Base::memory;
  using Base::mesh_;
  using Base::moved;
  using Base::pack;
  using Base::partner;
  using Base::place_;
  using Base::ranks_;
  using Base::step_;
  using Base::to_;
  using Base::unpack;

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
    copy_block(in.as<T>() + first * inner, before_[d] * inner, out.as<T>(), after_[d] * inner,
               before_.count(0, d), std::min(before_[d], after_[d]) * inner);
    return out;
  }

  Buffer zero_pad(const Buffer& in) {
    const int d = step_.from[axis_].dim;
    const std::int64_t inner = before_.count(d + 1, before_.ndim());
    const std::int64_t first = from_.piece(d).offset - to_.piece(d).offset;
    Buffer out = memory(after_.count());
    fill_zero(out, after_.count());
    copy_block(in.as<T>(), before_[d] * inner, out.as<T>() + first * inner, after_[d] * inner,
               before_.count(0, d), std::min(before_[d], after_[d]) * inner);
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
    if (rows > 1 &&
        this->exchange_in_place(comm::Collective::all_gather, in, gathered, d, d, after_.count(), true))
      return gathered;
    if (even_in_order(step_.from)) {
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
    if (before_.count(0, d) > 1 && this->reduce_in_place(in, out, d, reduction)) return out;
    if (even_in_order(step_.to)) {
      const Buffer pieces = swap_outer(in, after_.count(0, d), ranks_, after_.count(d, after_.ndim()));
      detail::reduce_scatter(mesh_, step_.axes, pieces.as<T>(), out.as<T>(), after_.count(), reduction);
    } else {
      const std::vector<Piece> pieces = meetings(from_, to_, d);
      const Buffer packed = pack(in, pieces, d);
      detail::reduce_scatter(mesh_, step_.axes, packed.as<T>(), out.as<T>(), counts(pieces, before_, d),
                             reduction);
    }
    return out;
  }

  /// Splits dim j into pieces for the ranks, and puts the pieces of dim i that come back in their order.
  Buffer all_to_all(const Buffer& in) {
    const int i = step_.from[axis_].dim;
    const int j = step_.to[axis_].dim;
    if (!even(step_.from) || !even(step_.to)) return exchange(in, j, i);
    Buffer incoming = memory(after_.count());
    if (this->exchange_in_place(comm::Collective::all_to_all, in, incoming, i, j, before_.count(), true))
      return incoming;
    Shape piece = before_;
    piece[j] = after_[j];
    const Buffer outgoing = swap_outer(in, piece.count(0, j), ranks_, piece.count(j, piece.ndim()));
    detail::all_to_all(mesh_, step_.axes, outgoing.as<T>(), incoming.as<T>(), piece.count());
    return swap_outer(std::move(incoming), ranks_, piece.count(0, i), piece.count(i, piece.ndim()));
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

  /// To each rank along the step's axes what its shard after the step has in common with this one's before,
  /// where pieces are uneven: told apart along dim `sent` of the latter; what comes back along dim `received`
  /// of the former.
  Buffer exchange(const Buffer& in, int sent, int received) {
    Buffer incoming = memory(after_.count());
    const std::int64_t most = std::max(before_.count(), after_.count());
    if (this->exchange_in_place(comm::Collective::all_to_all, in, incoming, sent, received, most, false))
      return incoming;
    const std::vector<Piece> to = meetings(from_, to_, sent);
    const std::vector<Piece> from = meetings(to_, from_, received);
    const Buffer outgoing = pack(in, to, sent);
    detail::all_to_all(mesh_, step_.axes, outgoing.as<T>(), counts(to, before_, sent), incoming.as<T>(),
                       counts(from, after_, received));
    return unpack(std::move(incoming), from, received);
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
};

/// This rank's shard after all steps of a plan; the operand's own memory where no step moves anything.
/// @comm each step's, of elements(step, global, grid) elements
template <class T, class Mesh>
Buffer run_plan(const Mesh& mesh, const Plan& plan, const Shape& global, Buffer shard) {
  TPX_EXPECTS(static_cast<bool>(shard), "a tensor that was moved into an op is used no more");
  for (int i = 0; i < plan.count; ++i)
    if (step_moves(mesh, plan.step[i]))
      shard = StepRunner<T, Mesh>(mesh, plan.step[i], global).run(std::move(shard));
  return shard;
}

}  // namespace tpx::detail
