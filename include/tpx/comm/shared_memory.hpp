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
#include <tpx/comm/combine.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/shared_memory_file.hpp>
#include <tpx/comm/shared_memory_messages.hpp>
#include <tpx/comm/shared_memory_reduce.hpp>
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
    const detail::SharedCall call{count, -1, Collective::all_reduce, element, reduction};
    if (count * element_size(element) <= whole_bytes) {
      reduce_whole(call, send, recv);
    } else {
      reduce_slices(call, send, recv);
    }
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_gather, send, recv, count_per_rank, size());
    detail::SharedWindow& w = live();
    const detail::SharedCall call{count_per_rank, -1, Collective::all_gather, element};
    for_each_chunk(count_per_rank, chunk(element), [&](std::int64_t at, std::int64_t n) {
      const void* const mine = detail::advance(send, at, element);
      detail::copy(w.slot(w.rank()), mine, n, element);
      w.meet(call);
      for (int from = 0; from < w.ranks(); ++from)
        detail::copy(detail::advance(recv, from * count_per_rank + at, element),
                     from == w.rank() ? mine : w.slot(from), n, element);
    });
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                      Reduction reduction, Queue = {}) const {
    detail::check_buffers(Collective::reduce_scatter, send, recv, count_per_rank, size());
    const detail::SharedCall call{count_per_rank, -1, Collective::reduce_scatter, element, reduction};
    for_each_block_chunk(call, send, [&](std::int64_t at, std::int64_t n, Terms terms) {
      detail::combine_terms(detail::advance(recv, at, element), terms, n, element, reduction);
    });
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_to_all, send, recv, count_per_rank, size());
    const detail::SharedCall call{count_per_rank, -1, Collective::all_to_all, element};
    for_each_block_chunk(call, send, [&](std::int64_t at, std::int64_t n, Terms terms) {
      for (std::size_t from = 0; from < terms.size(); ++from)
        detail::copy(detail::advance(recv, static_cast<std::int64_t>(from) * count_per_rank + at, element),
                     terms[from], n, element);
    });
  }

  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue = {}) const {
    detail::check_buffer(Collective::broadcast, buffer, count);
    detail::check_rank(Collective::broadcast, "root", root, size());
    detail::SharedWindow& w = live();
    const detail::SharedCall call{count, root, Collective::broadcast, element};
    for_each_chunk(count, chunk(element), [&](std::int64_t at, std::int64_t n) {
      void* const part = detail::advance(buffer, at, element);
      if (w.rank() == root) detail::copy(w.slot(root), part, n, element);
      w.meet(call);
      if (w.rank() != root) detail::copy(part, w.slot(root), n, element);
    });
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
  using Terms = std::span<const void* const>;
  using TermArray = std::array<const void*, detail::SharedWindow::max_ranks>;

  // Up to here one meeting and p readings of everything cost less than two meetings and 2 readings.
  static constexpr std::int64_t whole_bytes = 8 * 1024;

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

  static std::int64_t chunk(Element element, int blocks = 1) {
    const std::int64_t bytes = detail::SharedWindow::slot_bytes / blocks;
    return bytes / static_cast<std::int64_t>(detail::shared_line) *
           static_cast<std::int64_t>(detail::shared_line) / element_size(element);
  }

  /// f(at, n) for each chunk, on slots of its own; once where there is nothing, so that ranks that do not
  /// agree about that meet too.
  template <class F>
  void for_each_chunk(std::int64_t count, std::int64_t most, F f) const {
    std::int64_t at = 0;
    do {
      const std::int64_t n = std::min(most, count - at);
      f(at, n);
      live().next_slot();
      at += n;
    } while (at < count);
  }

  /// f(at, n, terms) for each chunk of the block of this rank; terms[k] is the chunk as rank k sent it.
  template <class F>
  void for_each_block_chunk(const detail::SharedCall& call, const void* send, F f) const {
    detail::SharedWindow& w = live();
    const std::int64_t most = chunk(call.element, w.ranks());
    for_each_chunk(call.count, most, [&](std::int64_t at, std::int64_t n) {
      for (int to = 0; to < w.ranks(); ++to)
        if (to != w.rank())
          detail::copy(detail::advance(w.slot(w.rank()), to * most, call.element),
                       detail::advance(send, to * call.count + at, call.element), n, call.element);
      w.meet(call);
      TermArray terms;  // of which fill() sets and passes on as many as there are ranks
      f(at, n,
        fill(terms, w.rank() * most, detail::advance(send, w.rank() * call.count + at, call.element), call));
    });
  }

  /// Where each rank's term starts: `mine`, and `offset` elements into the slots of the others.
  Terms fill(TermArray& terms, std::int64_t offset, const void* mine, const detail::SharedCall& call) const {
    const detail::SharedWindow& w = live();
    for (int from = 0; from < w.ranks(); ++from)
      terms[static_cast<std::size_t>(from)] =
          from == w.rank() ? mine : detail::advance(w.slot(from), offset, call.element);
    return {terms.data(), static_cast<std::size_t>(w.ranks())};
  }

  /// Every rank sums everything: one meeting.
  void reduce_whole(const detail::SharedCall& call, const void* send, void* recv) const {
    detail::SharedWindow& w = live();
    detail::copy(w.slot(w.rank()), send, call.count, call.element);
    w.meet(call);
    TermArray terms;  // of which fill() sets and passes on as many as there are ranks
    detail::combine_terms(recv, fill(terms, 0, send, call), call.count, call.element, call.reduction);
    w.next_slot();
    // The next one is often as long: by then its lines are here again, which the others have just read.
    for (std::int64_t b = 0; b < call.count * element_size(call.element); b += 64)
      __builtin_prefetch(w.slot(w.rank()) + b, 1);
  }

  /// Every rank sums a slice, and takes the other sums: the memory moves what it must.
  void reduce_slices(const detail::SharedCall& call, const void* send, void* recv) const {
    detail::SharedWindow& w = live();
    const Element element = call.element;
    const std::int64_t line = static_cast<std::int64_t>(detail::shared_line) / element_size(element);
    for_each_chunk(call.count, chunk(element), [&](std::int64_t at, std::int64_t n) {
      const std::int64_t each = ((n + w.ranks() - 1) / w.ranks() + line - 1) / line * line;
      const auto begin = [&](int rank) { return std::min(n, rank * each); };
      const std::int64_t my_begin = begin(w.rank());
      const std::int64_t my_end = begin(w.rank() + 1);
      char* const slot = w.slot(w.rank());
      detail::copy(slot, detail::advance(send, at, element), my_begin, element);
      detail::copy(detail::advance(slot, my_end, element), detail::advance(send, at + my_end, element),
                   n - my_end, element);
      w.meet(call);
      // In pieces that are still in the nearest cache when the sum is copied.
      const std::int64_t most = 64 * line;
      for (std::int64_t i = my_begin; i < my_end; i += most) {
        const std::int64_t m = std::min(most, my_end - i);
        TermArray terms;  // of which fill() sets and passes on as many as there are ranks
        void* const sum = detail::advance(recv, at + i, element);
        detail::combine_terms(sum, fill(terms, i, detail::advance(send, at + i, element), call), m, element,
                              call.reduction);
        detail::copy(detail::advance(slot, i, element), sum, m, element);
      }
      w.meet(call);
      for (int from = 0; from < w.ranks(); ++from)
        if (from != w.rank())
          detail::copy(detail::advance(recv, at + begin(from), element),
                       detail::advance(w.slot(from), begin(from), element), begin(from + 1) - begin(from),
                       element);
    });
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
