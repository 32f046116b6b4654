// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/combine.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/shared_memory_reduce.hpp>
#include <tpx/comm/threads_world.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// A message that waits for its receiver, on its sender's stack.
struct ThreadMessage {
  int from = 0;
  int to = 0;
  int tag = 0;
  const void* data = nullptr;
  ThreadCall call;
  bool taken = false;  ///< the receiver reads it
  bool done = false;
  std::string error;  ///< why the receiver refused it
};

/// What the threads of one group share, guarded by the world's lock.
class ThreadGroup {
 public:
  /// What a rank shows the others while they are in one collective. Between meet() and part() nobody
  /// writes it, so that it is read without the lock.
  struct Shown {
    ThreadCall call = {};
    const void* send = nullptr;
    void* recv = nullptr;
    std::span<const int> members = {};  ///< of the subgroup it will belong to
    Counts send_counts = {};            ///< of an uneven all_to_all
    Counts recv_counts = {};
    std::shared_ptr<ThreadGroup> made = nullptr;  ///< the subgroup, where this rank is its first member
  };

  ThreadGroup(std::shared_ptr<ThreadWorld> shared, int size)
      : world_(std::move(shared)), shown_(static_cast<std::size_t>(size)) {
    messages_.reserve(static_cast<std::size_t>(size));
  }

  int size() const { return static_cast<int>(shown_.size()); }
  ThreadWorld& world() const { return *world_; }
  const Shown& shown(int rank) const { return shown_[static_cast<std::size_t>(rank)]; }

  /// Shows what this rank brings and waits until all have.
  ///
  /// @throws tpx::Error on every rank when their calls differ; Released
  void meet(int rank, int world_rank, const Shown& mine) {
    const ThreadCall& call = mine.call;
    ThreadWorld::Lock lock = world_->lock();
    world_->expect_healthy(call);
    shown_[static_cast<std::size_t>(rank)] = mine;
    if (arrive()) {
      if constexpr (check_level >= check_level_cheap) mismatch_ = difference();
    } else {
      world_->wait(lock, world_rank, call, [this, round = round_] { return round_ != round; });
    }
    // The next round cannot end, and change this, without the calling rank.
    if (!mismatch_.empty()) fail(mismatch_);
  }

  /// Waits until all have read what the others showed. A failure does not end it: whoever left first
  /// would take its buffers along.
  void part() {
    ThreadWorld::Lock lock = world_->lock();
    if (!arrive()) world_->wait_to_the_end(lock, [this, mine = round_] { return round_ != mine; });
  }

  /// Between meet() and part(): recv_k[i] = send_0[i] + ... + send_{p-1}[i] on every rank k, for this
  /// rank's part of i. The order is that of the ranks, so all get the same bits, and each element is
  /// read everywhere before it is written, so it works in place.
  void reduce_everywhere(int rank, std::int64_t count, Element element, Reduction reduction) const {
    const std::int64_t each = count / size();
    const std::int64_t more = count % size();
    const std::int64_t begin = rank * each + std::min<std::int64_t>(rank, more);
    const std::int64_t end = begin + each + (rank < more ? 1 : 0);
    for_each_chunk(begin, end, element, [&](std::int64_t at, std::int64_t n, void* sum) {
      reduce_chunk(sum, at, n, element, reduction);
      for (const Shown& other : shown_) copy(advance(other.recv, at, element), sum, n, element);
    });
  }

  /// The same for the `count` elements from `first` alone, this rank's block, into its own buffer.
  void reduce_block(int rank, std::int64_t first, std::int64_t count, Element element,
                    Reduction reduction) const {
    for_each_chunk(first, first + count, element, [&](std::int64_t at, std::int64_t n, void* sum) {
      reduce_chunk(sum, at, n, element, reduction);
      copy(advance(shown(rank).recv, at - first, element), sum, n, element);
    });
  }

  void post(const ThreadWorld::Lock&, ThreadMessage& message) {
    world_->expect_healthy(message.call);
    messages_.push_back(&message);
    world_->notify();
  }

  /// Waits until the message was received; takes it back when that will not be.
  void complete(ThreadWorld::Lock& lock, int world_rank, ThreadMessage& message) {
    try {
      world_->wait(lock, world_rank, message.call, [&] { return message.taken; });
    } catch (...) {
      take_back(lock, message);
      throw;
    }
    world_->wait_to_the_end(lock, [&] { return message.done; });
    if (!message.error.empty()) fail(message.error);
  }

  void take_back(ThreadWorld::Lock& lock, ThreadMessage& message) {
    if (message.taken) {
      world_->wait_to_the_end(lock, [&] { return message.done; });
    } else {
      std::erase(messages_, &message);
    }
  }

  /// Waits for the oldest message from one rank to another with this tag, and copies it.
  void receive(ThreadWorld::Lock& lock, int world_rank, const ThreadCall& call, int from, int to, int tag,
               void* buffer) {
    ThreadMessage* message = nullptr;
    world_->wait(lock, world_rank, call, [&] {
      const auto found = std::find_if(messages_.begin(), messages_.end(), [&](const ThreadMessage* posted) {
        return posted->from == from && posted->to == to && posted->tag == tag;
      });
      message = found == messages_.end() ? nullptr : *found;
      return message != nullptr;
    });
    message->taken = true;
    std::erase(messages_, message);
    std::string error;
    if (message->call.count != call.count || message->call.element != call.element) {
      error = "tpx::comm::Threads: a message has the length and the element that its receiver expects; rank " +
              std::to_string(from) + " sent " + std::to_string(message->call.count) + " " +
              name(message->call.element) + ", rank " + std::to_string(to) + " expected " +
              std::to_string(call.count) + " " + name(call.element);
      message->error = error;
    } else {
      lock.unlock();
      copy(buffer, message->data, call.count, call.element);
      lock.lock();
    }
    message->done = true;  // and from here on the sender may be gone, and the message with it
    world_->notify();
    if (!error.empty()) fail(error);
  }

  /// Between meet() and part(): what is wrong with the subgroups that the ranks showed, the same text on
  /// every rank; empty where they are right.
  std::string partition_error() const {
    for (int rank = 0; rank < size(); ++rank) {
      const std::span<const int> mine = shown(rank).members;
      if (const std::string wrong = members_error(mine, rank, size()); !wrong.empty())
        return wrong + "; on rank " + std::to_string(rank);
      for (const int member : mine) {
        const std::span<const int> theirs = shown(member).members;
        if (!std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end()))
          return "tpx::comm::subgroup: the ranks of a group all name the same members in the same order; "
                 "ranks " +
                 std::to_string(rank) + " and " + std::to_string(member) + " do not";
      }
    }
    return {};
  }

  /// Between meet() and part(): what is wrong with the counts of an uneven all_to_all, as above.
  std::string blocks_error() const {
    for (int from = 0; from < size(); ++from)
      for (int to = 0; to < size(); ++to)
        if (const std::string wrong = exchange_error(from, to, count_of(shown(from).send_counts, to),
                                                     count_of(shown(to).recv_counts, from));
            !wrong.empty())
          return wrong;
    return {};
  }

  void set_made(int rank, std::shared_ptr<ThreadGroup> group) {
    const ThreadWorld::Lock held = world_->lock();
    shown_[static_cast<std::size_t>(rank)].made = std::move(group);
  }

  std::shared_ptr<ThreadGroup> make(int size) const { return std::make_shared<ThreadGroup>(world_, size); }

 private:
  // True on the last rank of the round, which ends it.
  bool arrive() {
    if (++arrived_ < size()) return false;
    arrived_ = 0;
    ++round_;
    world_->notify();
    return true;
  }

  std::string difference() const {
    for (int rank = 1; rank < size(); ++rank)
      if (shown(rank).call != shown(0).call)
        return "tpx::comm::Threads: all ranks make the same call; rank 0 is in " + shown(0).call.text() +
               ", rank " + std::to_string(rank) + " in " + shown(rank).call.text() +
               (shown(rank).call.text() == shown(0).call.text() ? " of other sizes" : "");
    return {};
  }

  template <class F>
  static void for_each_chunk(std::int64_t begin, std::int64_t end, Element element, F&& f) {
    alignas(64) std::array<std::byte, 4096> sum;
    const std::int64_t most = static_cast<std::int64_t>(sum.size()) / element_size(element);
    for (std::int64_t at = begin; at < end; at += most) f(at, std::min(most, end - at), sum.data());
  }

  void reduce_chunk(void* sum, std::int64_t at, std::int64_t n, Element element, Reduction reduction) const {
    static thread_local std::vector<const void*> terms;  // kept: the steady state allocates nothing
    terms.clear();
    for (const Shown& other : shown_) terms.push_back(advance(other.send, at, element));
    combine_terms(sum, terms, n, element, reduction);
  }

  std::shared_ptr<ThreadWorld> world_;
  std::vector<Shown> shown_;
  int arrived_ = 0;
  std::uint64_t round_ = 0;
  std::string mismatch_;  // of the last round that showed anything
  std::vector<ThreadMessage*> messages_;
};

}  // namespace tpx::comm::detail
