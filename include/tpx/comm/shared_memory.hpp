// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/comm/arguments.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/shared_memory_file.hpp>
#include <tpx/comm/shared_memory_messages.hpp>
#include <tpx/comm/shared_memory_slots.hpp>
#include <tpx/comm/shared_memory_window.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm {

/// A group of processes of one node (Linux) that exchange buffers through memory they share.
///
/// Once made, it calls no MPI and allocates nothing. Buffers of any size pass through two slots of
/// 128 KiB a rank, so they may lie anywhere, aligned as their elements are. Sums are taken in the order of
/// the ranks: every rank gets the same bits in every run. A `send` waits until the message is received;
/// a message to the rank itself goes by send_recv.
///
/// A rank that ends or leaves the group while others wait for it is an error that names it and the call,
/// within about 60 ms. Collective calls that differ are an error on all ranks, which name both.
/// A destructor waits for nobody, and nothing of the memory outlives the processes.
class SharedMemory {
 public:
  static constexpr bool host_driven = true;

  /// The ranks of another communicator, which is needed no more afterwards.
  ///
  /// @param  node  the node that this rank counts as being on
  /// @pre    all ranks are on one node, see one another in /proc, and are at most 64
  /// @comm   over `ranks`: all-gathers of 64 u8 and of 3 i64, and three agreements
  /// @throws tpx::Error on all ranks
  template <Communicator Comm>
  static SharedMemory over(const Comm& ranks, const Node& node = this_node()) {
    static_assert(Comm::host_driven, "tpx::comm::SharedMemory::over: the communicator is driven from the host");
    expect_one_node(ranks, node);
    return make(ranks, all_of(ranks.size()));
  }

  SharedMemory(SharedMemory&&) noexcept = default;
  SharedMemory& operator=(SharedMemory&&) noexcept = default;

  int rank() const { return live().rank(); }
  int size() const { return live().ranks(); }

  /// @comm collective over this group: an all-gather of 3 i64 and two agreements
  SharedMemory duplicate() const { return make(*this, all_of(size())); }

  /// @comm collective over this group: all-gathers of p i32 and of 3 i64, and four agreements
  SharedMemory subgroup(std::span<const int> members) const {
    throw_together(*this, detail::members_error(members, rank(), size()));
    const std::size_t p = static_cast<std::size_t>(size());
    std::vector<std::int32_t> named(p, -1);
    std::copy(members.begin(), members.end(), named.begin());
    std::vector<std::int32_t> all(p * p);
    all_gather(named.data(), all.data(), size(), Element::i32);
    std::string error;
    for (const int member : members)
      if (!std::equal(named.begin(), named.end(), all.begin() + member * size()))
        error = "tpx::comm::subgroup: the ranks of a group all name the same members in the same order";
    throw_together(*this, error);
    return make(*this, members);
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction reduction,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_reduce, send, recv, count);
    detail::slots::all_reduce(live(), {count, -1, Collective::all_reduce, element, reduction}, send, recv);
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_gather, send, recv, count_per_rank, size());
    detail::slots::all_gather(live(), {count_per_rank, -1, Collective::all_gather, element}, send, recv,
                              detail::Blocks(count_per_rank));
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                      Reduction reduction, Queue = {}) const {
    detail::check_buffers(Collective::reduce_scatter, send, recv, count_per_rank, size());
    detail::slots::reduce_scatter(live(), {count_per_rank, -1, Collective::reduce_scatter, element, reduction},
                                  send, recv, detail::Blocks(count_per_rank));
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_to_all, send, recv, count_per_rank, size());
    const detail::Blocks blocks(count_per_rank);
    detail::slots::all_to_all(live(), {count_per_rank, -1, Collective::all_to_all, element}, send, blocks, recv,
                              blocks, count_per_rank);
  }

  void all_gather(const void* send, void* recv, Counts counts, Element element, Queue = {}) const {
    detail::check_counts(Collective::all_gather, counts, size());
    const detail::Blocks blocks(counts);
    detail::check_uneven(Collective::all_gather, send, blocks.size(rank()), recv, blocks.count());
    detail::slots::all_gather(live(), uneven(Collective::all_gather, blocks, element), send, recv, blocks);
  }

  void reduce_scatter(const void* send, void* recv, Counts counts, Element element, Reduction reduction,
                      Queue = {}) const {
    detail::check_counts(Collective::reduce_scatter, counts, size());
    const detail::Blocks blocks(counts);
    detail::check_uneven(Collective::reduce_scatter, send, blocks.count(), recv, blocks.size(rank()));
    detail::slots::reduce_scatter(live(), uneven(Collective::reduce_scatter, blocks, element, reduction), send,
                                  recv, blocks);
  }

  void all_to_all(const void* send, Counts send_counts, void* recv, Counts recv_counts, Element element,
                  Queue = {}) const {
    detail::check_counts(Collective::all_to_all, send_counts, size());
    detail::check_counts(Collective::all_to_all, recv_counts, size());
    const detail::Blocks out(send_counts);
    const detail::Blocks in(recv_counts);
    detail::check_uneven(Collective::all_to_all, send, out.count(), recv, in.count());
    // The counts of each rank are its own: what all of them show is that they are uneven.
    const detail::SharedCall call{0, -1, Collective::all_to_all, element, Reduction::sum, 1};
    const std::int64_t largest = detail::slots::agree_on_blocks(live(), call, out, in);
    detail::slots::all_to_all(live(), call, send, out, recv, in, largest);
  }

  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue = {}) const {
    detail::check_buffer(Collective::broadcast, buffer, count);
    detail::check_rank(Collective::broadcast, "root", root, size());
    detail::slots::broadcast(live(), {count, root, Collective::broadcast, element}, buffer);
  }

  void send(const void* buffer, std::int64_t count, Element element, int to, int tag, Queue = {}) const {
    check_outgoing(buffer, count, to, tag);
    if (to == rank())
      detail::refuse("send", "nobody receives while this rank sends to itself; send_recv does both");
    const detail::SharedCall call{count, tag, Collective::send, element};
    detail::SharedSend out(live(), call, buffer, to);
    detail::complete(live(), call, out);
  }

  void recv(void* buffer, std::int64_t count, Element element, int from, int tag, Queue = {}) const {
    check_incoming(buffer, count, from, tag);
    if (from == rank())
      detail::refuse("recv", "nobody sends while this rank receives from itself; send_recv does both");
    const detail::SharedCall call{count, tag, Collective::recv, element};
    detail::SharedReceive in(live(), call, buffer, from);
    detail::complete(live(), call, in);
  }

  void send_recv(const void* send_buffer, std::int64_t send_count, int to, void* recv_buffer,
                 std::int64_t recv_count, int from, Element element, int tag, Queue = {}) const {
    check_outgoing(send_buffer, send_count, to, tag);
    check_incoming(recv_buffer, recv_count, from, tag);
    if ((to == rank()) != (from == rank()))
      detail::refuse("send_recv", "a message to the rank itself is received by the same call; to = " +
                                      std::to_string(to) + ", from = " + std::to_string(from));
    if (to == rank()) {
      detail::check_length("send_recv", send_count, recv_count);
      detail::copy(recv_buffer, send_buffer, recv_count, element);
      return;
    }
    const detail::SharedCall sent{send_count, tag, Collective::send_recv, element};
    const detail::SharedCall received{recv_count, tag, Collective::send_recv, element};
    detail::SharedSend out(live(), sent, send_buffer, to);
    detail::SharedReceive in(live(), received, recv_buffer, from);
    detail::complete(live(), sent, out, in);
  }

  void barrier() const { live().meet({}); }

 private:
  explicit SharedMemory(std::unique_ptr<detail::SharedWindow> window) : window_(std::move(window)) {}

  detail::SharedWindow& live() const {
    if (window_ == nullptr) [[unlikely]]
      fail("tpx::comm::SharedMemory: a moved-from communicator has no ranks");
    return *window_;
  }

  static std::vector<int> all_of(int ranks) {
    std::vector<int> all(static_cast<std::size_t>(ranks));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  template <class Comm>
  static void expect_one_node(const Comm& ranks, const Node& node) {
    const std::int64_t length = static_cast<std::int64_t>(node.size());
    std::vector<char> all(node.size() * static_cast<std::size_t>(ranks.size()));
    ranks.all_gather(node.data(), all.data(), length, Element::u8);
    std::string error;
    if (node == Node{}) error = "tpx::comm::SharedMemory::over: the kernel does not say which node this is";
    for (int other = ranks.size() - 1; other > 0; --other)
      if (!std::equal(node.begin(), node.end(), all.begin() + other * length) && ranks.rank() == 0)
        error = "tpx::comm::SharedMemory::over: the ranks share one node; rank 0 and rank " +
                std::to_string(other) + " are on two";
    if (ranks.size() > detail::SharedWindow::max_ranks)
      error = "tpx::comm::SharedMemory::over: the ranks are at most 64; size = " + std::to_string(ranks.size());
    throw_together(ranks, error);
  }

  /// The group of `members`, in their order: its first makes the memory and the others open it.
  template <class Comm>
  static SharedMemory make(const Comm& parent, std::span<const int> members) {
    const int ranks = static_cast<int>(members.size());
    const std::size_t bytes = detail::SharedWindow::bytes(ranks);
    const bool first = parent.rank() == members[0];
    detail::SharedFile file;
    std::string error;
    if (first) error = file.create(bytes);
    if (first && error.empty()) detail::SharedWindow::construct(file.memory(), ranks);
    const detail::SharedFile::Address mine = file.address();
    const std::array<std::int64_t, 3> shown{mine.process, mine.descriptor, mine.number};
    std::vector<std::int64_t> all(3 * static_cast<std::size_t>(parent.size()));
    parent.all_gather(shown.data(), all.data(), 3, Element::i64);
    throw_together(parent, error);

    if (!first) {
      const std::int64_t* const there = all.data() + 3 * members[0];
      error = file.open({there[0], there[1], there[2]}, bytes);
    }
    std::unique_ptr<detail::SharedWindow> window;
    if (error.empty()) {
      window = std::make_unique<detail::SharedWindow>(std::move(file),
                                                      detail::position_in(members, parent.rank()), ranks);
      error = window->claim();
    }
    // Also until here: the first has its file open, and nobody calls before all have claimed their rank.
    throw_together(parent, error);
    return SharedMemory(std::move(window));
  }

  static detail::SharedCall uneven(Collective what, const detail::Blocks& blocks, Element element,
                                   Reduction reduction = Reduction::sum) {
    return {blocks.count(), -1, what, element, reduction, blocks.mark()};
  }

  void check_outgoing(const void* buffer, std::int64_t count, int to, int tag) const {
    detail::check_buffer(Collective::send, buffer, count);
    detail::check_rank(Collective::send, "to", to, size());
    detail::check_tag(Collective::send, tag);
  }

  void check_incoming(const void* buffer, std::int64_t count, int from, int tag) const {
    detail::check_buffer(Collective::recv, buffer, count);
    detail::check_rank(Collective::recv, "from", from, size());
    detail::check_tag(Collective::recv, tag);
  }

  std::unique_ptr<detail::SharedWindow> window_;
};

static_assert(Communicator<SharedMemory>);

}  // namespace tpx::comm
