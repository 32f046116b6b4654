// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/combine.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/threads_group.hpp>
#include <tpx/comm/threads_world.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm {

/// A group of ranks that are threads of one process: for tests, debuggers and sanitizers.
///
/// Made by run_threads; each rank uses its communicators from its own thread. Sums are taken in the
/// order of the ranks, of bfloat16 in float, so every rank gets the same bits in every run. Misuse is an error
/// on all ranks, not a hang: calls that differ, a rank that failed or returned while others wait for it, and
/// ranks that wait for one another. A send waits until the message is received.
class Threads {
 public:
  static constexpr bool host_driven = true;

  Threads(Threads&&) noexcept = default;
  Threads& operator=(Threads&&) noexcept = default;

  int rank() const { return rank_; }
  int size() const { return group_->size(); }

  Threads duplicate() const {
    std::vector<int> all(static_cast<std::size_t>(size()));
    std::iota(all.begin(), all.end(), 0);
    return subgroup(all);
  }

  Threads subgroup(std::span<const int> members) const {
    group_->meet(rank_, world_rank_, {.call = {.what = "subgroup"}, .members = members});
    const std::string error = group_->partition_error();
    if (error.empty() && members[0] == rank_)
      group_->set_made(rank_, group_->make(static_cast<int>(members.size())));
    group_->part();
    if (!error.empty()) fail(error);
    std::shared_ptr<detail::ThreadGroup> made = group_->shown(members[0]).made;
    group_->part();
    if (members[0] == rank_) group_->set_made(rank_, nullptr);
    return Threads(std::move(made), detail::position_in(members, rank_), world_rank_);
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction reduction,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_reduce, send, recv, count);
    meet(Collective::all_reduce, send, recv, count, element, reduction);
    group_->reduce_everywhere(rank_, count, element, reduction);
    group_->part();
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_gather, send, recv, count_per_rank, size());
    meet(Collective::all_gather, send, recv, count_per_rank, element);
    for (int from = 0; from < size(); ++from)
      detail::copy(detail::advance(recv, from * count_per_rank, element), group_->shown(from).send,
                   count_per_rank, element);
    group_->part();
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                      Reduction reduction, Queue = {}) const {
    detail::check_buffers(Collective::reduce_scatter, send, recv, count_per_rank, size());
    meet(Collective::reduce_scatter, send, recv, count_per_rank, element, reduction);
    group_->reduce_block(rank_, rank_ * count_per_rank, count_per_rank, element, reduction);
    group_->part();
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_to_all, send, recv, count_per_rank, size());
    meet(Collective::all_to_all, send, recv, count_per_rank, element);
    for (int from = 0; from < size(); ++from)
      detail::copy(detail::advance(recv, from * count_per_rank, element),
                   detail::advance(group_->shown(from).send, rank_ * count_per_rank, element), count_per_rank,
                   element);
    group_->part();
  }

  void all_gather(const void* send, void* recv, Counts counts, Element element, Queue = {}) const {
    detail::check_counts(Collective::all_gather, counts, size());
    const std::int64_t sum = detail::sum_of(counts);
    detail::check_uneven(Collective::all_gather, send, detail::count_of(counts, rank_), recv, sum);
    group_->meet(rank_, world_rank_, {.call = uneven(Collective::all_gather, counts, element), .send = send});
    std::int64_t start = 0;
    for (int from = 0; from < size(); ++from) {
      const std::int64_t count = detail::count_of(counts, from);
      detail::copy(detail::advance(recv, start, element), group_->shown(from).send, count, element);
      start += count;
    }
    group_->part();
  }

  void reduce_scatter(const void* send, void* recv, Counts counts, Element element, Reduction reduction,
                      Queue = {}) const {
    detail::check_counts(Collective::reduce_scatter, counts, size());
    const std::int64_t mine = detail::count_of(counts, rank_);
    detail::check_uneven(Collective::reduce_scatter, send, detail::sum_of(counts), recv, mine);
    group_->meet(
        rank_, world_rank_,
        {.call = uneven(Collective::reduce_scatter, counts, element, reduction), .send = send, .recv = recv});
    group_->reduce_block(rank_, detail::start_of(counts, rank_), mine, element, reduction);
    group_->part();
  }

  void all_to_all(const void* send, Counts send_counts, void* recv, Counts recv_counts, Element element,
                  Queue = {}) const {
    detail::check_counts(Collective::all_to_all, send_counts, size());
    detail::check_counts(Collective::all_to_all, recv_counts, size());
    detail::check_uneven(Collective::all_to_all, send, detail::sum_of(send_counts), recv,
                         detail::sum_of(recv_counts));
    group_->meet(rank_, world_rank_,
                 {.call = {.what = name(Collective::all_to_all), .element = element, .blocks = 1},
                  .send = send,
                  .send_counts = send_counts,
                  .recv_counts = recv_counts});
    const std::string error = group_->blocks_error();
    std::int64_t start = 0;
    for (int from = 0; error.empty() && from < size(); ++from) {
      const auto& shown = group_->shown(from);
      const std::int64_t count = detail::count_of(recv_counts, from);
      detail::copy(detail::advance(recv, start, element),
                   detail::advance(shown.send, detail::start_of(shown.send_counts, rank_), element), count,
                   element);
      start += count;
    }
    group_->part();
    if (!error.empty()) fail(error);
  }

  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue = {}) const {
    detail::check_buffer(Collective::broadcast, buffer, count);
    detail::check_rank(Collective::broadcast, "root", root, size());
    meet(Collective::broadcast, buffer, buffer, count, element, Reduction::sum, root);
    detail::copy(buffer, group_->shown(root).send, count, element);
    group_->part();
  }

  void send(const void* buffer, std::int64_t count, Element element, int to, int tag, Queue = {}) const {
    detail::ThreadMessage message = outgoing("send", buffer, count, element, to, tag);
    detail::ThreadWorld::Lock lock = group_->world().lock();
    group_->post(lock, message);
    group_->complete(lock, world_rank_, message);
  }

  void recv(void* buffer, std::int64_t count, Element element, int from, int tag, Queue = {}) const {
    const detail::ThreadCall call = incoming("recv", buffer, count, element, from, tag);
    detail::ThreadWorld::Lock lock = group_->world().lock();
    group_->receive(lock, world_rank_, call, from, rank_, tag, buffer);
  }

  void send_recv(const void* send_buffer, std::int64_t send_count, int to, void* recv_buffer,
                 std::int64_t recv_count, int from, Element element, int tag, Queue = {}) const {
    detail::ThreadMessage message = outgoing("send_recv", send_buffer, send_count, element, to, tag);
    const detail::ThreadCall call = incoming("send_recv", recv_buffer, recv_count, element, from, tag);
    detail::ThreadWorld::Lock lock = group_->world().lock();
    group_->post(lock, message);
    try {
      group_->receive(lock, world_rank_, call, from, rank_, tag, recv_buffer);
    } catch (...) {
      group_->take_back(lock, message);
      throw;
    }
    group_->complete(lock, world_rank_, message);
  }

  void barrier() const { meet(Collective::barrier, nullptr, nullptr, 0, Element::u8); }

 private:
  template <class F>
  friend void run_threads(int ranks, F f);

  Threads(std::shared_ptr<detail::ThreadGroup> group, int rank, int world_rank)
      : group_(std::move(group)), rank_(rank), world_rank_(world_rank) {}

  void meet(Collective what, const void* send, void* recv, std::int64_t count, Element element,
            Reduction reduction = Reduction::sum, int root = -1) const {
    group_->meet(rank_, world_rank_,
                 {.call = {name(what), count, element, reduction, root}, .send = send, .recv = recv});
  }

  static detail::ThreadCall uneven(Collective what, Counts counts, Element element,
                                   Reduction reduction = Reduction::sum) {
    return {name(what), detail::sum_of(counts), element, reduction, -1, detail::mark_of(counts)};
  }

  detail::ThreadMessage outgoing(const char* what, const void* buffer, std::int64_t count, Element element,
                                 int to, int tag) const {
    detail::check_message(Collective::send, buffer, count, to, tag, size());
    detail::ThreadMessage message;
    message.from = rank_;
    message.to = to;
    message.tag = tag;
    message.data = buffer;
    message.call = {what, count, element, Reduction::sum, to};
    return message;
  }

  detail::ThreadCall incoming(const char* what, const void* buffer, std::int64_t count, Element element,
                              int from, int tag) const {
    detail::check_message(Collective::recv, buffer, count, from, tag, size());
    return {what, count, element, Reduction::sum, from};
  }

  std::shared_ptr<detail::ThreadGroup> group_;
  int rank_;
  int world_rank_;
};

static_assert(Communicator<Threads>);

/// Calls f(world) on `ranks` threads at once, each with its rank's Threads, and waits for all. The one f
/// is shared by them.
///
/// When a rank throws, the others are released from the collective they wait in, or will enter, with a
/// tpx::Error that names it and the rank that failed.
///
/// @pre    ranks >= 1
/// @throws what the first of the ranks that failed by themselves threw
template <class F>
void run_threads(int ranks, F f) {
  if (ranks < 1) fail("tpx::comm::run_threads: there is at least one rank; ranks = " + std::to_string(ranks));
  const auto world = std::make_shared<detail::ThreadWorld>(ranks);
  const auto group = std::make_shared<detail::ThreadGroup>(world, ranks);
  std::vector<std::exception_ptr> causes(static_cast<std::size_t>(ranks));
  std::vector<std::exception_ptr> effects(static_cast<std::size_t>(ranks));

  const auto be_rank = [&](int rank) {
    const std::size_t r = static_cast<std::size_t>(rank);
    tpx::detail::whereabouts().rank = rank;
    try {
      f(Threads(group, rank, rank));
      world->rank_returned(rank);
    } catch (const detail::Released& released) {
      effects[r] = std::current_exception();
      world->rank_failed(rank, released.what());
    } catch (const std::exception& error) {
      causes[r] = std::current_exception();
      world->rank_failed(rank, error.what());
    } catch (...) {
      causes[r] = std::current_exception();
      world->rank_failed(rank, "what it threw is no std::exception");
    }
  };

  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    try {
      threads.emplace_back(be_rank, rank);
    } catch (const std::system_error& error) {
      causes[static_cast<std::size_t>(rank)] = std::current_exception();
      for (int missing = rank; missing < ranks; ++missing)
        world->rank_failed(missing, std::string("its thread could not be started: ") + error.what());
      break;
    }
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& cause : causes)
    if (cause) std::rethrow_exception(cause);
  for (const std::exception_ptr& effect : effects)
    if (effect) std::rethrow_exception(effect);
}

}  // namespace tpx::comm
