// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/comm/async_mpi.hpp>
#include <tpx/layout/meeting.hpp>
#include <tpx/tensor/run_plan.hpp>

namespace tpx::detail {

/// A step of a plan in two halves: its collective is started, and its result put in order when it is over. The
/// memory that the collective uses is held in between.
template <class T, class Mesh>
class AsyncStep : private StepRunner<T, Mesh> {
  using Base = StepRunner<T, Mesh>;
  using Comm = typename Mesh::communicator_type;
  using Start = comm::Nonblocking<Comm>;

 public:
  /// Whether the step's collective can be started apart from its end on this mesh.
  static constexpr bool available = Start::available;

  /// @pre  step_moves(mesh, step) and communicates(step.move); mesh and step live as long
  /// @comm starts the step's collective
  AsyncStep(const Mesh& mesh, const Step& step, const Shape& global, Buffer in) : Base(mesh, step, global) {
    start(std::move(in));
  }

  bool test() { return pending_.test(); }

  /// The shard after the step.
  Buffer finish() {
    pending_.wait();
    send_.reset();
    return unpack_dim_ < 0 ? std::move(recv_) : this->unpack(std::move(recv_), pieces_, unpack_dim_);
  }

 private:
  void start(Buffer in) {
    switch (this->step_.move) {
      case Move::all_reduce:
        return all_reduce(std::move(in));
      case Move::all_gather:
        return all_gather(std::move(in));
      case Move::reduce_scatter:
        return reduce_scatter(in);
      case Move::all_to_all:
        return exchange(in, this->step_.to[this->axis_].dim, this->step_.from[this->axis_].dim);
      default:
        return permute(std::move(in));
    }
  }

  const Comm& group() const {
    before_host_reads(this->mesh_);
    return this->mesh_.communicator(this->step_.axes);
  }

  void all_reduce(Buffer in) {
    const std::int64_t n = this->before_.count();
    recv_ = in.unique() ? in : this->memory(n);
    send_ = std::move(in);
    pending_ = Start::all_reduce(group(), send_.template as<T>(), recv_.template as<T>(), n, element_v<T>,
                                 this->step_.from[this->axis_].reduction);
  }

  void all_gather(Buffer in) {
    unpack_dim_ = this->step_.from[this->axis_].dim;
    pieces_ = this->meetings(this->to_, this->from_, unpack_dim_);
    send_ = std::move(in);
    recv_ = this->memory(this->after_.count());
    pending_ = Start::all_gather(group(), send_.template as<T>(), recv_.template as<T>(),
                                 counts(pieces_, this->after_, unpack_dim_), element_v<T>);
  }

  void reduce_scatter(const Buffer& in) {
    const int d = this->step_.to[this->axis_].dim;
    const std::vector<Piece> pieces = this->meetings(this->from_, this->to_, d);
    send_ = this->pack(in, pieces, d);
    recv_ = this->memory(this->after_.count());
    pending_ = Start::reduce_scatter(group(), send_.template as<T>(), recv_.template as<T>(),
                                     counts(pieces, this->before_, d), element_v<T>,
                                     this->step_.from[this->axis_].reduction);
  }

  void exchange(const Buffer& in, int sent, int received) {
    const std::vector<Piece> to = this->meetings(this->from_, this->to_, sent);
    unpack_dim_ = received;
    pieces_ = this->meetings(this->to_, this->from_, received);
    send_ = this->pack(in, to, sent);
    recv_ = this->memory(this->after_.count());
    pending_ = Start::all_to_all(group(), send_.template as<T>(), counts(to, this->before_, sent),
                                 recv_.template as<T>(), counts(pieces_, this->after_, received), element_v<T>);
  }

  void permute(Buffer in) {
    const int d = this->step_.from[this->axis_].dim;
    if (!this->even(this->step_.from) || !this->even(this->step_.to)) return exchange(in, d, d);
    send_ = std::move(in);
    recv_ = this->memory(this->after_.count());
    pending_ =
        Start::send_recv(group(), send_.template as<T>(), this->before_.count(),
                         this->partner(this->step_.from, this->step_.to), recv_.template as<T>(),
                         this->after_.count(), this->partner(this->step_.to, this->step_.from), element_v<T>);
  }

  Buffer send_, recv_;
  std::vector<Piece> pieces_;  ///< of the result, as they came
  int unpack_dim_ = -1;        ///< along which they lie, where they have to be put in order
  typename Start::Pending pending_;
};

}  // namespace tpx::detail
