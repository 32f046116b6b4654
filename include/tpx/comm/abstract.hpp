// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>

namespace tpx::comm {

/// One rank's view of a group that is not here: it has a size and a rank, checks its arguments as the
/// others do, moves nothing and leaves every buffer as it is.
///
/// Wrapped in Recording it tells what a program would communicate on a mesh that nobody has. Pointers
/// are never read: a policy without memory passes null ones, with any count.
///
/// @comm none
class Abstract {
 public:
  static constexpr bool host_driven = false;

  explicit Abstract(int size, int rank = 0) : rank_(rank), size_(size) {
    if (size < 1) fail("tpx::comm::Abstract: a group has at least one rank; size = " + std::to_string(size));
    if (rank < 0 || rank >= size)
      fail("tpx::comm::Abstract: the rank is one of the group's, 0 to " + std::to_string(size - 1) +
           "; rank = " + std::to_string(rank));
  }

  Abstract(Abstract&&) noexcept = default;
  Abstract& operator=(Abstract&&) noexcept = default;

  int rank() const { return rank_; }
  int size() const { return size_; }

  Abstract duplicate() const { return Abstract(size_, rank_); }

  Abstract subgroup(std::span<const int> members) const {
    detail::check_members(members, rank_, size_);
    return Abstract(static_cast<int>(members.size()), detail::position_in(members, rank_));
  }

  void all_reduce(const void*, void*, std::int64_t count, Element, Reduction, Queue = {}) const {
    check(Collective::all_reduce, count);
  }

  void all_gather(const void*, void*, std::int64_t count_per_rank, Element, Queue = {}) const {
    check(Collective::all_gather, count_per_rank);
  }

  void reduce_scatter(const void*, void*, std::int64_t count_per_rank, Element, Reduction, Queue = {}) const {
    check(Collective::reduce_scatter, count_per_rank);
  }

  void all_to_all(const void*, void*, std::int64_t count_per_rank, Element, Queue = {}) const {
    check(Collective::all_to_all, count_per_rank);
  }

  void all_gather(const void*, void*, Counts counts, Element, Queue = {}) const {
    detail::check_counts(Collective::all_gather, counts, size_);
  }

  void reduce_scatter(const void*, void*, Counts counts, Element, Reduction, Queue = {}) const {
    detail::check_counts(Collective::reduce_scatter, counts, size_);
  }

  void all_to_all(const void*, Counts send_counts, void*, Counts recv_counts, Element, Queue = {}) const {
    detail::check_counts(Collective::all_to_all, send_counts, size_);
    detail::check_counts(Collective::all_to_all, recv_counts, size_);
  }

  void broadcast(void*, std::int64_t count, Element, int root, Queue = {}) const {
    check(Collective::broadcast, count);
    detail::check_rank(Collective::broadcast, "root", root, size_);
  }

  void send(const void*, std::int64_t count, Element, int to, int tag, Queue = {}) const {
    check(Collective::send, count);
    detail::check_rank(Collective::send, "to", to, size_);
    detail::check_tag(Collective::send, tag);
  }

  void recv(void*, std::int64_t count, Element, int from, int tag, Queue = {}) const {
    check(Collective::recv, count);
    detail::check_rank(Collective::recv, "from", from, size_);
    detail::check_tag(Collective::recv, tag);
  }

  void send_recv(const void* send_buffer, std::int64_t send_count, int to, void* recv_buffer,
                 std::int64_t recv_count, int from, Element element, int tag, Queue = {}) const {
    send(send_buffer, send_count, element, to, tag);
    recv(recv_buffer, recv_count, element, from, tag);
  }

  void barrier() const {}

 private:
  static void check(Collective what, std::int64_t count) {
    if constexpr (check_level >= check_level_cheap) {
      if (count < 0) detail::refuse(name(what), "a count is not negative; count = " + std::to_string(count));
    }
  }

  int rank_;
  int size_;
};

static_assert(Communicator<Abstract>);

}  // namespace tpx::comm
