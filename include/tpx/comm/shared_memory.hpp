// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/comm/arguments.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/node.hpp>
#include <tpx/comm/patience.hpp>
#include <tpx/comm/shared_memory_file.hpp>
#include <tpx/comm/shared_memory_heap.hpp>
#include <tpx/comm/shared_memory_in_place.hpp>
#include <tpx/comm/shared_memory_messages.hpp>
#include <tpx/comm/shared_memory_setup.hpp>
#include <tpx/comm/shared_memory_slots.hpp>
#include <tpx/comm/shared_memory_window.hpp>
#include <tpx/core/config.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm {

/// A group of processes of one node (Linux) that exchange buffers through memory they share.
///
/// Once made, it calls no MPI and allocates nothing. Buffers may lie anywhere, aligned as their elements are:
/// they pass through two slots of 128 KiB a rank. Where the buffers that a collective reads lie in symmetric
/// memory on all ranks, and are more than 8 KiB, they are read and summed where they are. Sums are taken in the
/// order of the ranks, of bfloat16 in float: every rank gets the same bits in every run. A `send` waits until
/// the message is received; a message to the rank itself goes by send_recv.
///
/// A rank that ends or leaves the group while others wait for it is an error that names it and the call,
/// within about 60 ms. Collective calls that differ are an error on all ranks, which name both. With checks
/// that communicate (TPX_CHECK_LEVEL 3) they name the ops that made them too, and a rank that waits for longer
/// than TPX_TIMEOUT seconds gives up and tells what each rank waits in. A destructor waits for nobody, and
/// nothing of the memory outlives the processes.
class SharedMemory {
 public:
  static constexpr bool host_driven = true;

  /// The ranks of another communicator, which is needed no more afterwards.
  ///
  /// @param  node  the node that this rank counts as being on
  /// @pre    all ranks are on one node, see one another in /proc, and are at most 64
  /// @comm   over `ranks`: all-gathers of 64 u8 and twice of 3 i64, and five agreements
  /// @throws tpx::Error on all ranks
  template <Communicator Comm>
  static SharedMemory over(const Comm& ranks, const Node& node = this_node()) {
    static_assert(Comm::host_driven, "tpx::comm::SharedMemory::over: the communicator is driven from the host");
    if constexpr (check_level >= check_level_collective) (void)detail::timeout();  // or nobody begins
    detail::expect_one_node(ranks, node);
    const std::vector<int> all = all_of(ranks.size());
    detail::SharedFile file;
    const std::size_t bytes = detail::SharedHeap::bytes(ranks.size());
    throw_together(ranks, detail::share(ranks, all, bytes, file, [](void*) {}));
    auto heap = std::make_shared<detail::SharedHeap>(std::move(file), ranks.rank(), ranks.size());
    return make(ranks, all, detail::GroupHeap::whole(std::move(heap)));
  }

  SharedMemory(SharedMemory&&) noexcept = default;
  SharedMemory& operator=(SharedMemory&&) noexcept = default;

  int rank() const { return live().rank(); }
  int size() const { return live().ranks(); }

  /// The group's name in errors: the axes of a mesh.
  void set_label(std::string_view name) { live().set_group(name); }

  /// @comm collective over this group: an all-gather of 3 i64 and two agreements
  SharedMemory duplicate() const { return make(*this, all_of(size()), heap_); }

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
    return make(*this, members, heap_.of(members));
  }

  /// Gives out symmetric memory: what the groups made from one `over` read where it is. Every rank has its own
  /// share, so ranks may ask for different sizes. Null where a rank has used up what its node has for it.
  MemorySource symmetric_memory() const { return heap_.source(); }
  /// Whether all of a buffer is symmetric memory of this rank's.
  bool is_symmetric(const void* buffer, std::int64_t bytes) const {
    return heap_.offset_of(buffer, bytes) >= 0;
  }

  /// f(buffers), where every rank shows a buffer in symmetric memory, buffers[k] being that of rank k: for what
  /// reads the buffers of all and does more than a collective does. It throws nothing. Afterwards nobody reads
  /// this rank's buffer any more.
  ///
  /// @param  what      the collective that it stands for, as peers, errors and logs see it
  /// @param  count     elements of this rank's buffer
  /// @param  elements  those of the collective as logs count them
  /// @param  even      whether they are the same on every rank; only then they are compared
  /// @return false on every rank where one shows other memory: then f is not called
  /// @comm   two meetings
  template <class F>
  bool read_in_place(Collective what, const void* buffer, std::int64_t count, std::int64_t elements,
                     Element element, F&& f, bool even = true) const {
    detail::check_buffer(what, buffer, count);
    const detail::Call call{even ? elements : 0, -1, what, element, Reduction::sum, even ? 0U : 1U};
    return detail::in_place::read(live(), heap_, call, buffer, count, f);
  }

  /// f(terms, results), for an all-reduce to whose sum more is done on the way: terms[k] is what rank k sends.
  /// Where `results` has as many, f sums a share of its own and puts it into all of them; where it has one,
  /// recv, f sums everything. It throws nothing. Afterwards this rank's result is whole.
  ///
  /// @return false on every rank where the buffers are small or not symmetric: then f is not called
  /// @comm   two meetings
  template <class F>
  bool sum_in_place(const void* send, void* recv, std::int64_t count, Element element, F&& f) const {
    detail::check_buffers(Collective::all_reduce, send, recv, count);
    return size() > 1 && large(count, element) &&
           detail::in_place::sum(live(), heap_, {count, -1, Collective::all_reduce, element}, send, recv, f);
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction reduction,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_reduce, send, recv, count);
    const detail::Call call{count, -1, Collective::all_reduce, element, reduction};
    if (large(count, element) && detail::in_place::all_reduce(live(), heap_, call, send, recv)) return;
    detail::slots::all_reduce(live(), call, send, recv);
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_gather, send, recv, count_per_rank, size());
    all_gather({count_per_rank, -1, Collective::all_gather, element}, send, recv,
               detail::Blocks(count_per_rank));
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                      Reduction reduction, Queue = {}) const {
    detail::check_buffers(Collective::reduce_scatter, send, recv, count_per_rank, size());
    reduce_scatter({count_per_rank, -1, Collective::reduce_scatter, element, reduction}, send, recv,
                   detail::Blocks(count_per_rank));
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_to_all, send, recv, count_per_rank, size());
    const detail::Blocks blocks(count_per_rank);
    detail::slots::Exchange found;
    found.largest = count_per_rank;
    found.starts.fill(rank() * count_per_rank);
    all_to_all({count_per_rank, -1, Collective::all_to_all, element}, send, size() * count_per_rank, blocks,
               recv, blocks, found);
  }

  void all_gather(const void* send, void* recv, Counts counts, Element element, Queue = {}) const {
    detail::check_counts(Collective::all_gather, counts, size());
    const detail::Blocks blocks(counts);
    detail::check_uneven(Collective::all_gather, send, blocks.size(rank()), recv, blocks.count());
    all_gather(uneven(Collective::all_gather, blocks, element), send, recv, blocks);
  }

  void reduce_scatter(const void* send, void* recv, Counts counts, Element element, Reduction reduction,
                      Queue = {}) const {
    detail::check_counts(Collective::reduce_scatter, counts, size());
    const detail::Blocks blocks(counts);
    detail::check_uneven(Collective::reduce_scatter, send, blocks.count(), recv, blocks.size(rank()));
    reduce_scatter(uneven(Collective::reduce_scatter, blocks, element, reduction), send, recv, blocks);
  }

  void all_to_all(const void* send, Counts send_counts, void* recv, Counts recv_counts, Element element,
                  Queue = {}) const {
    detail::check_counts(Collective::all_to_all, send_counts, size());
    detail::check_counts(Collective::all_to_all, recv_counts, size());
    const detail::Blocks out(send_counts);
    const detail::Blocks in(recv_counts);
    detail::check_uneven(Collective::all_to_all, send, out.count(), recv, in.count());
    // The counts of each rank are its own: what all of them show is that they are uneven.
    const detail::Call call{0, -1, Collective::all_to_all, element, Reduction::sum, 1};
    all_to_all(call, send, out.count(), out, recv, in, detail::slots::agree_on_blocks(live(), call, out, in));
  }

  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue = {}) const {
    detail::check_buffer(Collective::broadcast, buffer, count);
    detail::check_rank(Collective::broadcast, "root", root, size());
    const detail::Call call{count, root, Collective::broadcast, element};
    if (large(count, element) && detail::in_place::broadcast(live(), heap_, call, buffer)) return;
    detail::slots::broadcast(live(), call, buffer);
  }

  void send(const void* buffer, std::int64_t count, Element element, int to, int tag, Queue = {}) const {
    detail::check_message(Collective::send, buffer, count, to, tag, size());
    if (to == rank())
      detail::refuse("send", "nobody receives while this rank sends to itself; send_recv does both");
    const detail::Call call{count, tag, Collective::send, element};
    detail::SharedSend out(live(), call, buffer, to);
    detail::complete(live(), call, out);
  }

  void recv(void* buffer, std::int64_t count, Element element, int from, int tag, Queue = {}) const {
    detail::check_message(Collective::recv, buffer, count, from, tag, size());
    if (from == rank())
      detail::refuse("recv", "nobody sends while this rank receives from itself; send_recv does both");
    const detail::Call call{count, tag, Collective::recv, element};
    detail::SharedReceive in(live(), call, buffer, from);
    detail::complete(live(), call, in);
  }

  void send_recv(const void* send_buffer, std::int64_t send_count, int to, void* recv_buffer,
                 std::int64_t recv_count, int from, Element element, int tag, Queue = {}) const {
    detail::check_message(Collective::send, send_buffer, send_count, to, tag, size());
    detail::check_message(Collective::recv, recv_buffer, recv_count, from, tag, size());
    if ((to == rank()) != (from == rank()))
      detail::refuse("send_recv", "a message to the rank itself is received by the same call; to = " +
                                      std::to_string(to) + ", from = " + std::to_string(from));
    if (to == rank()) {
      detail::check_length("send_recv", send_count, recv_count);
      detail::copy(recv_buffer, send_buffer, recv_count, element);
      return;
    }
    const detail::Call sent{send_count, tag, Collective::send_recv, element};
    const detail::Call received{recv_count, tag, Collective::send_recv, element};
    detail::SharedSend out(live(), sent, send_buffer, to);
    detail::SharedReceive in(live(), received, recv_buffer, from);
    detail::complete(live(), sent, out, in);
  }

  void barrier() const { live().meet({}); }

 private:
  SharedMemory(std::unique_ptr<detail::SharedWindow> window, detail::GroupHeap heap)
      : window_(std::move(window)), heap_(std::move(heap)) {}

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

  /// The group of `members`, in their order.
  template <class Comm>
  static SharedMemory make(const Comm& parent, std::span<const int> members, detail::GroupHeap heap) {
    const int ranks = static_cast<int>(members.size());
    detail::SharedFile file;
    std::string error = detail::share(parent, members, detail::SharedWindow::bytes(ranks), file,
                                      [&](void* memory) { detail::SharedWindow::construct(memory, ranks); });
    std::unique_ptr<detail::SharedWindow> window;
    if (error.empty()) {
      window = std::make_unique<detail::SharedWindow>(std::move(file),
                                                      detail::position_in(members, parent.rank()), ranks);
      error = window->claim();
      window->show_waits_on(heap.shared());
    }
    throw_together(parent, error);  // and nobody calls before all have claimed their rank
    return SharedMemory(std::move(window), std::move(heap));
  }

  // Less is copied into a slot sooner than the ranks have told where it is.
  static bool large(std::int64_t count, Element element) {
    return count * element_size(element) > detail::slots::whole_bytes;
  }

  void all_gather(const detail::Call& call, const void* send, void* recv, const detail::Blocks& blocks) const {
    if (large(blocks.largest(), call.element) &&
        detail::in_place::all_gather(live(), heap_, call, send, recv, blocks))
      return;
    detail::slots::all_gather(live(), call, send, recv, blocks);
  }

  void reduce_scatter(const detail::Call& call, const void* send, void* recv,
                      const detail::Blocks& blocks) const {
    if (large(blocks.largest(), call.element) &&
        detail::in_place::reduce_scatter(live(), heap_, call, send, recv, blocks))
      return;
    detail::slots::reduce_scatter(live(), call, send, recv, blocks);
  }

  void all_to_all(const detail::Call& call, const void* send, std::int64_t sent, const detail::Blocks& out,
                  void* recv, const detail::Blocks& in, const detail::slots::Exchange& found) const {
    if (large(found.largest, call.element) &&
        detail::in_place::all_to_all(live(), heap_, call, send, sent, recv, in, found.starts))
      return;
    detail::slots::all_to_all(live(), call, send, out, recv, in, found.largest);
  }

  static detail::Call uneven(Collective what, const detail::Blocks& blocks, Element element,
                             Reduction reduction = Reduction::sum) {
    return {blocks.count(), -1, what, element, reduction, blocks.mark()};
  }

  std::unique_ptr<detail::SharedWindow> window_;
  detail::GroupHeap heap_;
};

static_assert(Communicator<SharedMemory>);

}  // namespace tpx::comm
