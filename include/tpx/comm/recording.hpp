// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tpx/comm/comm_log.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>

namespace tpx::comm {

/// Another communicator whose calls on this rank are counted, under a label, in a log that it shares
/// with all groups made from it. A call is counted before it is made, so that a failed one shows.
///
/// duplicate() and subgroup() are not counted; the new group has this one's label until it gets its own.
///
/// @comm what the wrapped communicator does, nothing more
template <class Comm>
class Recording {
  static_assert(Communicator<Comm>, "tpx::comm::Recording: what it wraps must be a Communicator");

 public:
  static constexpr bool host_driven = Comm::host_driven;

  /// Starts a new log; the label is "world".
  explicit Recording(Comm inner) : Recording(std::move(inner), std::make_shared<CommLog>(), "world") {}

  CommLog& log() const { return *log_; }
  const Comm& inner() const { return inner_; }

  void set_label(std::string_view text) {
    label_ = log_->label(text);
    if constexpr (requires { inner_.set_label(text); }) inner_.set_label(text);
  }

  int rank() const { return inner_.rank(); }
  int size() const { return inner_.size(); }

  Recording duplicate() const { return Recording(inner_.duplicate(), log_, label_); }
  Recording subgroup(std::span<const int> members) const {
    return Recording(inner_.subgroup(members), log_, label_);
  }

  /// As the wrapped communicator gives it out.
  MemorySource symmetric_memory() const requires requires(const Comm& comm) { comm.symmetric_memory(); }
  { return inner_.symmetric_memory(); }

  /// As the wrapped communicator does it; counted as a call of `elements` where it was one.
  template <class F>
  requires requires(const Comm& comm) { comm.symmetric_memory(); }
  bool read_in_place(Collective what, const void* buffer, std::int64_t count, std::int64_t elements,
                     Element element, F&& f, bool even = true) const {
    const bool done = inner_.read_in_place(what, buffer, count, elements, element, std::forward<F>(f), even);
    if (done) add(what, elements, element);
    return done;
  }
  template <class F>
  requires requires(const Comm& comm) { comm.symmetric_memory(); }
  bool sum_in_place(const void* send, void* recv, std::int64_t count, Element element, F&& f) const {
    const bool done = inner_.sum_in_place(send, recv, count, element, std::forward<F>(f));
    if (done) add(Collective::all_reduce, count, element);
    return done;
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction reduction,
                  Queue queue = {}) const {
    add(Collective::all_reduce, count, element);
    inner_.all_reduce(send, recv, count, element, reduction, queue);
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue queue = {}) const {
    add(Collective::all_gather, size() * count_per_rank, element);
    inner_.all_gather(send, recv, count_per_rank, element, queue);
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                      Reduction reduction, Queue queue = {}) const {
    add(Collective::reduce_scatter, size() * count_per_rank, element);
    inner_.reduce_scatter(send, recv, count_per_rank, element, reduction, queue);
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue queue = {}) const {
    add(Collective::all_to_all, size() * count_per_rank, element);
    inner_.all_to_all(send, recv, count_per_rank, element, queue);
  }

  void all_gather(const void* send, void* recv, Counts counts, Element element, Queue queue = {}) const {
    add(Collective::all_gather, detail::sum_of(counts), element);
    inner_.all_gather(send, recv, counts, element, queue);
  }

  void reduce_scatter(const void* send, void* recv, Counts counts, Element element, Reduction reduction,
                      Queue queue = {}) const {
    add(Collective::reduce_scatter, detail::sum_of(counts), element);
    inner_.reduce_scatter(send, recv, counts, element, reduction, queue);
  }

  void all_to_all(const void* send, Counts send_counts, void* recv, Counts recv_counts, Element element,
                  Queue queue = {}) const {
    add(Collective::all_to_all, std::max(detail::sum_of(send_counts), detail::sum_of(recv_counts)), element);
    inner_.all_to_all(send, send_counts, recv, recv_counts, element, queue);
  }

  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue queue = {}) const {
    add(Collective::broadcast, count, element);
    inner_.broadcast(buffer, count, element, root, queue);
  }

  void send(const void* buffer, std::int64_t count, Element element, int to, int tag, Queue queue = {}) const {
    add(Collective::send, count, element);
    inner_.send(buffer, count, element, to, tag, queue);
  }

  void recv(void* buffer, std::int64_t count, Element element, int from, int tag, Queue queue = {}) const {
    add(Collective::recv, count, element);
    inner_.recv(buffer, count, element, from, tag, queue);
  }

  void send_recv(const void* send_buffer, std::int64_t send_count, int to, void* recv_buffer,
                 std::int64_t recv_count, int from, Element element, int tag, Queue queue = {}) const {
    add(Collective::send_recv, std::max(send_count, recv_count), element);
    inner_.send_recv(send_buffer, send_count, to, recv_buffer, recv_count, from, element, tag, queue);
  }

  void barrier() const {
    add(Collective::barrier, 0, Element::u8);
    inner_.barrier();
  }

  /// Counts a call that is made on inner(): a collective that is started, and waited for later.
  void add(Collective what, std::int64_t elements, Element element) const {
    log_->add(label_, what, size(), elements, element);
  }

 private:
  Recording(Comm inner, std::shared_ptr<CommLog> log, std::string_view label)
      : inner_(std::move(inner)), log_(std::move(log)), label_(log_->label(label)) {}
  Recording(Comm inner, std::shared_ptr<CommLog> log, int label)
      : inner_(std::move(inner)), log_(std::move(log)), label_(label) {}

  Comm inner_;
  std::shared_ptr<CommLog> log_;
  int label_;
};

}  // namespace tpx::comm
