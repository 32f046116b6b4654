// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/combine.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/mpi_support.hpp>
#include <tpx/comm/mpi_wait.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// The messages under way of one send, receive, or both. The usual two need no allocation.
class Requests {
 public:
  Requests() = default;
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;

  // Where a later post failed: the buffers are about to go, so what was posted is taken back. Not where a wait
  // was given up: it would wait again.
  ~Requests() {
    for (std::int64_t i = 0; i < posted_ && !MpiFarewell::abandoned(); ++i) {
      MPI_Request& request = slot(i).request;
      if (request == MPI_REQUEST_NULL) continue;
      if (MPI_Cancel(&request) != MPI_SUCCESS || MPI_Wait(&request, MPI_STATUS_IGNORE) != MPI_SUCCESS)
        std::fputs("tpx::comm::Mpi: a message could not be cancelled\n", stderr);
    }
  }

  MPI_Request* next() {
    if (posted_ >= few) more_.emplace_back();
    return &slot(posted_++).request;
  }

  /// Waits for all; the first error, or MPI_SUCCESS.
  ///
  /// @throws tpx::Error where checks find that it takes too long
  int wait() {
    int first = MPI_SUCCESS;
    for (std::int64_t i = 0; i < posted_; ++i) {
      const int code = detail::wait(slot(i).request, &slot(i).status);
      if (first == MPI_SUCCESS) first = code;
    }
    return first;
  }

  /// How many elements the i-th message brought.
  std::int64_t received(std::int64_t i, MPI_Datatype type) const {
    int count = 0;
    check_mpi(MPI_Get_count(&slot(i).status, type, &count), "MPI_Get_count");
    return count;
  }

 private:
  struct Slot {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Status status{};
  };

  static constexpr std::int64_t few = 2;

  Slot& slot(std::int64_t i) {
    return i < few ? few_[static_cast<std::size_t>(i)] : more_[static_cast<std::size_t>(i - few)];
  }
  const Slot& slot(std::int64_t i) const {
    return i < few ? few_[static_cast<std::size_t>(i)] : more_[static_cast<std::size_t>(i - few)];
  }

  std::array<Slot, few> few_{};
  std::vector<Slot> more_;
  std::int64_t posted_ = 0;
};

/// Whose messages they are.
struct MpiGroup {
  MPI_Comm comm;
  int rank;
  int size;

  void check(int code, const char* what, std::int64_t count) const {
    if (code != MPI_SUCCESS) [[unlikely]]
      mpi_failed(code, what, count, rank, size);
  }
};

// Of the blocks of an uneven all_to_all: the highest tag that every MPI has.
inline constexpr int mpi_blocks_tag = 32767;

inline void post_send(const MpiGroup& group, Requests& requests, const void* buffer, std::int64_t count,
                      Element element, int to, int tag) {
  check_message(Collective::send, buffer, count, to, tag, group.size);
  for_each_message(count, [&](std::int64_t at, int n) {
    group.check(
        MPI_Isend(advance(buffer, at, element), n, mpi_type(element), to, tag, group.comm, requests.next()),
        "send", count);
  });
}

inline void post_recv(const MpiGroup& group, Requests& requests, void* buffer, std::int64_t count,
                      Element element, int from, int tag) {
  check_message(Collective::recv, buffer, count, from, tag, group.size);
  for_each_message(count, [&](std::int64_t at, int n) {
    group.check(
        MPI_Irecv(advance(buffer, at, element), n, mpi_type(element), from, tag, group.comm, requests.next()),
        "recv", count);
  });
}

// MPI accepts a shorter message silently. Its parts were the requests from `first` on.
inline void expect_length(const char* what, const Requests& requests, std::int64_t first, std::int64_t count,
                          Element element) {
  std::int64_t came = 0;
  for (std::int64_t i = first; i < first + messages_of(count); ++i)
    came += requests.received(i, mpi_type(element));
  check_length(what, came, count);
}

// Open MPI 4.1 cuts a short message from a rank to itself without a word when the receive is posted
// first. Nothing else can be under way from this rank to itself, because sends are blocking.
inline void send_to_self(const void* sent, std::int64_t send_count, void* received, std::int64_t recv_count,
                         Element element, int tag) {
  check_buffer(Collective::send, sent, send_count);
  check_buffer(Collective::recv, received, recv_count);
  check_tag(Collective::send, tag);
  check_length("send_recv", send_count, recv_count);
  copy(received, sent, recv_count, element);
}

/// An uneven all_to_all, each block a message: its two ranks alone know its size, and so whether it is split.
inline void exchange_blocks(const MpiGroup& group, const void* send, Counts send_counts, void* recv,
                            Counts recv_counts, Element element) {
  const int me = group.rank;
  Requests requests;
  std::int64_t start = 0;
  for (int from = 0; from < group.size; ++from) {
    const std::int64_t count = count_of(recv_counts, from);
    if (from != me)
      post_recv(group, requests, advance(recv, start, element), count, element, from, mpi_blocks_tag);
    start += count;
  }
  start = 0;
  for (int to = 0; to < group.size; ++to) {
    const std::int64_t count = count_of(send_counts, to);
    if (to != me) post_send(group, requests, advance(send, start, element), count, element, to, mpi_blocks_tag);
    start += count;
  }
  const std::string wrong = exchange_error(me, me, count_of(send_counts, me), count_of(recv_counts, me));
  if (wrong.empty())
    copy(advance(recv, start_of(recv_counts, me), element), advance(send, start_of(send_counts, me), element),
         count_of(send_counts, me), element);
  group.check(requests.wait(), "all_to_all", sum_of(send_counts));
  std::int64_t first = 0;
  for (int from = 0; from < group.size; ++from) {
    if (from == me) continue;
    const std::int64_t count = count_of(recv_counts, from);
    expect_length("all_to_all", requests, first, count, element);
    first += messages_of(count);
  }
  if (!wrong.empty()) fail(wrong);
}

}  // namespace tpx::comm::detail
