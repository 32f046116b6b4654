// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// MPI's C++ bindings are long gone from the standard, and cost over a second of every compilation.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/comm/arguments.hpp>
#include <tpx/comm/call.hpp>
#include <tpx/comm/combine.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/mpi_bfloat16.hpp>
#include <tpx/comm/mpi_call.hpp>
#include <tpx/comm/mpi_messages.hpp>
#include <tpx/comm/mpi_op.hpp>
#include <tpx/comm/mpi_support.hpp>
#include <tpx/comm/mpi_uneven.hpp>
#include <tpx/comm/mpi_wait.hpp>

namespace tpx::comm {

/// A group of MPI processes, on a communicator of its own.
///
/// Errors are exceptions: MPI reports them (MPI_ERRORS_RETURN on the owned communicator) and every
/// return code is checked. With checks that communicate (TPX_CHECK_LEVEL 3), collectives that differ between
/// ranks are an error on all of them, which names both and the ops that called them, and a rank that waits for
/// longer than TPX_TIMEOUT seconds gives up and tells what each process waits in. Messages beyond MPI's 32-bit
/// counts are split. The order of a sum's terms is MPI's; bfloat16 ones are added in the order of the
/// ranks, in float, and rounded once. MPI is initialised and finalised by the caller; what is still alive after
/// MPI_Finalize is not freed.
class Mpi {
 public:
  static constexpr bool host_driven = true;

  /// A communicator with the ranks of `theirs`, which stays the caller's.
  ///
  /// @comm   collective over `theirs` (MPI_Comm_dup); so is the destructor (MPI_Comm_free)
  /// @throws tpx::Error when MPI is not running, or `theirs` is null or an inter-communicator
  static Mpi adopt(MPI_Comm theirs) {
    detail::expect_mpi_runs();
    if constexpr (check_level >= check_level_collective) (void)detail::timeout();  // or nobody begins
    if (theirs == MPI_COMM_NULL) fail("tpx::comm::Mpi::adopt: the communicator must not be MPI_COMM_NULL");
    int inter = 0;
    detail::check_mpi(MPI_Comm_test_inter(theirs, &inter), "MPI_Comm_test_inter");
    if (inter != 0) fail("tpx::comm::Mpi::adopt: the communicator must not be an inter-communicator");
    MPI_Comm mine = MPI_COMM_NULL;
    detail::check_mpi(MPI_Comm_dup(theirs, &mine), "MPI_Comm_dup");
    return Mpi(mine);
  }

  /// All processes of the launch.
  static Mpi world() {
    detail::expect_mpi_runs();
    return adopt(MPI_COMM_WORLD);
  }

  Mpi(Mpi&& other) noexcept
      : comm_(std::exchange(other.comm_, MPI_COMM_NULL)),
        label_(std::move(other.label_)),
        rank_(other.rank_),
        size_(other.size_) {}

  Mpi& operator=(Mpi&& other) noexcept {
    std::swap(comm_, other.comm_);
    std::swap(label_, other.label_);
    std::swap(rank_, other.rank_);
    std::swap(size_, other.size_);
    return *this;
  }

  ~Mpi() {
    if (!detail::MpiFarewell::abandoned()) detail::free_communicator(comm_);
  }

  MPI_Comm native() const { return comm_; }
  int rank() const { return rank_; }
  int size() const { return size_; }

  /// The group's name in errors: the axes of a mesh.
  void set_label(std::string_view name) { label_ = name; }

  Mpi duplicate() const { return adopt(live()); }

  /// @comm collective over this group: MPI_Comm_split, an all-gather of 1 i32 in the new group, and two
  ///       agreements
  Mpi subgroup(std::span<const int> members) const {
    throw_together(*this, detail::members_error(members, rank_, size_));
    // Groups are disjoint, so a group's lowest rank is a colour that no other group has.
    const int color = *std::min_element(members.begin(), members.end());
    MPI_Comm made = MPI_COMM_NULL;
    check(MPI_Comm_split(live(), color, detail::position_in(members, rank_), &made), "subgroup", size_);
    Mpi group(made);
    std::vector<int> came(static_cast<std::size_t>(group.size()));
    group.all_gather(&rank_, came.data(), 1, Element::i32);
    std::string error;
    if (!std::equal(came.begin(), came.end(), members.begin(), members.end()))
      error = "tpx::comm::subgroup: the ranks of a group all name the same members in the same order";
    throw_together(*this, error);
    return group;
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction reduction,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_reduce, send, recv, count);
    const auto here = enter({count, -1, Collective::all_reduce, element, reduction});
    if (element == Element::bf16)
      return check(detail::MpiBfloat16::all_reduce(live(), rank_, size_, send, recv, count, reduction),
                   "all_reduce", count);
    detail::for_each_part(count, [&](std::int64_t at, int n) {
      const void* from = send == recv ? MPI_IN_PLACE : detail::advance(send, at, element);
      check(MPI_Allreduce(from, detail::advance(recv, at, element), n, detail::mpi_type(element),
                          detail::mpi_op(reduction, element), live()),
            "all_reduce", count);
    });
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_gather, send, recv, count_per_rank, size_);
    const auto here = enter({count_per_rank, -1, Collective::all_gather, element});
    const MPI_Datatype type = detail::mpi_type(element);
    detail::for_each_part(count_per_rank, [&](std::int64_t at, int n) {
      const detail::BlockType block(n, count_per_rank, element);
      check(MPI_Allgather(detail::advance(send, at, element), n, type, detail::advance(recv, at, element),
                          block.count(), block.type(), live()),
            "all_gather", count_per_rank);
    });
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                      Reduction reduction, Queue = {}) const {
    detail::check_buffers(Collective::reduce_scatter, send, recv, count_per_rank, size_);
    const auto here = enter({count_per_rank, -1, Collective::reduce_scatter, element, reduction});
    if (element == Element::bf16)
      return check(detail::MpiBfloat16::reduce_scatter(live(), rank_, size_, send, recv,
                                                       detail::Blocks(count_per_rank), reduction),
                   "reduce_scatter", count_per_rank);
    const MPI_Datatype type = detail::mpi_type(element);
    const MPI_Op op = detail::mpi_op(reduction, element);
    if (count_per_rank <= detail::max_count()) {
      if (count_per_rank == 0) return;
      check(MPI_Reduce_scatter_block(send, recv, static_cast<int>(count_per_rank), type, op, live()),
            "reduce_scatter", count_per_rank);
      return;
    }
    // MPI reduces no derived types, so a part of every block cannot go in one call: each block goes to
    // its rank by itself. The bytes are the same, and no memory is needed.
    for (int root = 0; root < size_; ++root) {
      const void* const block = detail::advance(send, root * count_per_rank, element);
      detail::for_each_part(count_per_rank, [&](std::int64_t at, int n) {
        check(MPI_Reduce(detail::advance(block, at, element), detail::advance(recv, at, element), n, type, op,
                         root, live()),
              "reduce_scatter", count_per_rank);
      });
    }
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_to_all, send, recv, count_per_rank, size_);
    const auto here = enter({count_per_rank, -1, Collective::all_to_all, element});
    detail::for_each_part(count_per_rank, [&](std::int64_t at, int n) {
      const detail::BlockType block(n, count_per_rank, element);
      check(MPI_Alltoall(detail::advance(send, at, element), block.count(), block.type(),
                         detail::advance(recv, at, element), block.count(), block.type(), live()),
            "all_to_all", count_per_rank);
    });
  }

  void all_gather(const void* send, void* recv, Counts counts, Element element, Queue = {}) const {
    detail::check_counts(Collective::all_gather, counts, size_);
    const std::int64_t sum = detail::sum_of(counts);
    detail::check_uneven(Collective::all_gather, send, detail::count_of(counts, rank_), recv, sum);
    const auto here =
        enter({sum, -1, Collective::all_gather, element, Reduction::sum, detail::mark_of(counts)});
    check(detail::all_gather_uneven(live(), rank_, send, recv, counts, element), "all_gather", sum);
  }

  void reduce_scatter(const void* send, void* recv, Counts counts, Element element, Reduction reduction,
                      Queue = {}) const {
    detail::check_counts(Collective::reduce_scatter, counts, size_);
    const std::int64_t sum = detail::sum_of(counts);
    detail::check_uneven(Collective::reduce_scatter, send, sum, recv, detail::count_of(counts, rank_));
    const auto here = enter({sum, -1, Collective::reduce_scatter, element, reduction, detail::mark_of(counts)});
    if (element == Element::bf16)
      return check(detail::MpiBfloat16::reduce_scatter(live(), rank_, size_, send, recv, detail::Blocks(counts),
                                                       reduction),
                   "reduce_scatter", sum);
    check(detail::reduce_scatter_uneven(live(), send, recv, counts, element, reduction), "reduce_scatter", sum);
  }

  void all_to_all(const void* send, Counts send_counts, void* recv, Counts recv_counts, Element element,
                  Queue = {}) const {
    detail::check_counts(Collective::all_to_all, send_counts, size_);
    detail::check_counts(Collective::all_to_all, recv_counts, size_);
    const std::int64_t sum = detail::sum_of(send_counts);
    detail::check_uneven(Collective::all_to_all, send, sum, recv, detail::sum_of(recv_counts));
    // The counts of each rank are its own: what all of them say is that they are uneven.
    const auto here = enter({0, -1, Collective::all_to_all, element, Reduction::sum, 1});
    detail::exchange_blocks(group(), send, send_counts, recv, recv_counts, element);
  }

  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue = {}) const {
    detail::check_buffer(Collective::broadcast, buffer, count);
    detail::check_rank(Collective::broadcast, "root", root, size_);
    const auto here = enter({count, root, Collective::broadcast, element});
    detail::for_each_part(count, [&](std::int64_t at, int n) {
      check(MPI_Bcast(detail::advance(buffer, at, element), n, detail::mpi_type(element), root, live()),
            "broadcast", count);
    });
  }

  void send(const void* buffer, std::int64_t count, Element element, int to, int tag, Queue = {}) const {
    check_below_own(Collective::send, tag);
    const auto here = enter({count, tag, Collective::send, element});
    detail::Requests requests;
    detail::post_send(group(), requests, buffer, count, element, to, tag);
    check(requests.wait(), "send", count);
  }

  void recv(void* buffer, std::int64_t count, Element element, int from, int tag, Queue = {}) const {
    check_below_own(Collective::recv, tag);
    const auto here = enter({count, tag, Collective::recv, element});
    detail::Requests requests;
    detail::post_recv(group(), requests, buffer, count, element, from, tag);
    check(requests.wait(), "recv", count);
    detail::expect_length("recv", requests, 0, count, element);
  }

  void send_recv(const void* send_buffer, std::int64_t send_count, int to, void* recv_buffer,
                 std::int64_t recv_count, int from, Element element, int tag, Queue = {}) const {
    check_below_own(Collective::send_recv, tag);
    if (to == rank_ && from == rank_) {
      (void)live();
      detail::send_to_self(send_buffer, send_count, recv_buffer, recv_count, element, tag);
      return;
    }
    const auto here = enter({send_count, tag, Collective::send_recv, element});
    // All parts are posted before any is waited for: the peer may send all of its own first.
    detail::Requests requests;
    detail::post_recv(group(), requests, recv_buffer, recv_count, element, from, tag);
    detail::post_send(group(), requests, send_buffer, send_count, element, to, tag);
    check(requests.wait(), "send_recv", send_count > recv_count ? send_count : recv_count);
    detail::expect_length("send_recv", requests, 0, recv_count, element);
  }

  void barrier() const {
    const auto here = enter({});
    check(MPI_Barrier(live()), "barrier", 0);
  }

 private:
  static void check_below_own(Collective what, int tag) {
    if constexpr (check_level >= check_level_cheap) {
      if (tag >= detail::mpi_blocks_tag)
        detail::refuse(name(what),
                       "a tag is less than 32767, so that every MPI has it; tag = " + std::to_string(tag));
    }
  }

  // Takes ownership.
  explicit Mpi(MPI_Comm mine) : comm_(mine) {
    detail::check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    detail::check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
    detail::check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  }

  // MPI would report a null communicator to MPI_COMM_WORLD's handler, which ends the job.
  MPI_Comm live() const {
    if (comm_ == MPI_COMM_NULL) [[unlikely]]
      fail("tpx::comm::Mpi: a moved-from communicator has no ranks");
    return comm_;
  }

  void check(int code, const char* what, std::int64_t count) const {
    if (code != MPI_SUCCESS) [[unlikely]]
      detail::mpi_failed(code, what, count, rank_, size_);
  }

  detail::MpiGroup group() const { return {live(), rank_, size_}; }

  detail::MpiCall enter(const detail::Call& call) const { return {live(), call, label_, rank_, size_}; }

  MPI_Comm comm_ = MPI_COMM_NULL;
  std::string label_;
  int rank_ = 0;
  int size_ = 0;
};

static_assert(Communicator<Mpi>);

}  // namespace tpx::comm
