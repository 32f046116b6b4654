// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/combine.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>

namespace tpx::comm {

/// The group of one rank: every collective is a copy, and there is no MPI.
///
/// @comm none
class Self {
 public:
  static constexpr bool host_driven = true;

  Self() = default;
  Self(Self&&) noexcept = default;
  Self& operator=(Self&&) noexcept = default;

  int rank() const { return 0; }
  int size() const { return 1; }

  Self duplicate() const { return {}; }

  Self subgroup(std::span<const int> members) const {
    detail::check_members(members, 0, 1);
    return {};
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction,
                  Queue = {}) const {
    copy(Collective::all_reduce, send, recv, count, element);
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    copy(Collective::all_gather, send, recv, count_per_rank, element);
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element, Reduction,
                      Queue = {}) const {
    copy(Collective::reduce_scatter, send, recv, count_per_rank, element);
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    copy(Collective::all_to_all, send, recv, count_per_rank, element);
  }

  void all_gather(const void* send, void* recv, Counts counts, Element element, Queue = {}) const {
    copy(Collective::all_gather, send, counts, recv, counts, element);
  }

  void reduce_scatter(const void* send, void* recv, Counts counts, Element element, Reduction,
                      Queue = {}) const {
    copy(Collective::reduce_scatter, send, counts, recv, counts, element);
  }

  void all_to_all(const void* send, Counts send_counts, void* recv, Counts recv_counts, Element element,
                  Queue = {}) const {
    copy(Collective::all_to_all, send, send_counts, recv, recv_counts, element);
  }

  void broadcast(void* buffer, std::int64_t count, Element, int root, Queue = {}) const {
    detail::check_buffer(Collective::broadcast, buffer, count);
    detail::check_rank(Collective::broadcast, "root", root, 1);
  }

  /// @throws tpx::Error always: nobody is there to receive while this rank waits
  void send(const void*, std::int64_t, Element, int, int, Queue = {}) const {
    detail::refuse("send", "a group of one rank has nobody to receive; send_recv reaches the rank itself");
  }

  /// @throws tpx::Error always: nobody is there to send while this rank waits
  void recv(void*, std::int64_t, Element, int, int, Queue = {}) const {
    detail::refuse("recv", "a group of one rank has nobody to send; send_recv reaches the rank itself");
  }

  void send_recv(const void* send, std::int64_t send_count, int to, void* recv, std::int64_t recv_count,
                 int from, Element element, int tag, Queue = {}) const {
    detail::check_rank(Collective::send, "to", to, 1);
    detail::check_rank(Collective::recv, "from", from, 1);
    detail::check_tag(Collective::send, tag);
    detail::check_length("send_recv", send_count, recv_count);
    copy(Collective::send, send, recv, send_count, element);
  }

  void barrier() const {}

 private:
  static void copy(Collective what, const void* send, void* recv, std::int64_t count, Element element) {
    detail::check_buffers(what, send, recv, count);
    detail::copy(recv, send, count, element);
  }

  static void copy(Collective what, const void* send, Counts send_counts, void* recv, Counts recv_counts,
                   Element element) {
    detail::check_counts(what, send_counts, 1);
    detail::check_counts(what, recv_counts, 1);
    detail::check_uneven(what, send, send_counts[0], recv, recv_counts[0]);
    if (const std::string wrong = detail::exchange_error(0, 0, send_counts[0], recv_counts[0]); !wrong.empty())
      fail(wrong);
    detail::copy(recv, send, send_counts[0], element);
  }
};

static_assert(Communicator<Self>);

}  // namespace tpx::comm
