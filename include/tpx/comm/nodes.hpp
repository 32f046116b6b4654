// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/async.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/node.hpp>
#include <tpx/comm/node_map.hpp>
#include <tpx/comm/nodes_lanes.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm {

/// A group whose ranks are on several nodes: those of one node exchange buffers through memory that they share,
/// and nodes exchange them by `Across`, a communicator of all ranks.
///
/// A group made from this one that lies within a node is the node's alone, and one that has a single rank on
/// each node is `Across`. In one that spans nodes with several ranks, blocks are gathered, sums taken and what
/// is to be received dealt out on each node, and from node to node each element goes once, in one message for
/// all ranks of a node; where the nodes have equally many ranks of the group all of them carry their share,
/// otherwise the first of each carries everything. Its messages are those of `Across`, and so are its
/// all-to-alls where the nodes have not equally many ranks. Its sums have the same bits on every rank and in
/// every run: they are taken on each node in the order of the ranks, then over the nodes, of bfloat16 in float
/// and rounded once.
///
/// For the innermost axes of a mesh to lie within nodes, arrange the ranks before:
/// `Nodes::over(by_node(world))`.
template <Communicator Across>
class Nodes {
  static_assert(Across::host_driven, "tpx::comm::Nodes: the communicator across nodes is driven from the host");

 public:
  static constexpr bool host_driven = true;

  /// @param  node  the node that this rank counts as being on
  /// @throws tpx::Error on all ranks, as SharedMemory::over does
  /// @comm   over `all`: an all-gather of 64 u8; then makes groups of it, and the shared memory of each node
  static Nodes over(Across all, const Node& node = this_node()) {
    std::vector<int> node_of = nodes_of(all, node);
    const detail::NodeMap map(node_of, all.rank());
    std::optional<SharedMemory> inside;
    if (!map.all_apart()) inside.emplace(SharedMemory::over(all.subgroup(map.ranks_on(map.node())), node));
    return Nodes(std::move(all), std::move(inside), std::move(node_of));
  }

  Nodes(Nodes&&) noexcept = default;
  Nodes& operator=(Nodes&&) noexcept = default;

  int rank() const { return all_.rank(); }
  int size() const { return all_.size(); }
  /// On how many nodes the ranks are.
  int nodes() const { return lanes_.map().nodes(); }
  /// All ranks, by what connects the nodes.
  const Across& across() const { return all_; }

  void set_label(std::string_view name) {
    if (inside_) inside_->set_label(name);
    if constexpr (requires { all_.set_label(name); }) all_.set_label(name);
    lanes_.set_label(name);
  }

  Nodes duplicate() const {
    std::optional<SharedMemory> inside;
    if (inside_) inside.emplace(inside_->duplicate());
    return Nodes(all_.duplicate(), std::move(inside), lanes_.map().node_of());
  }

  Nodes subgroup(std::span<const int> members) const {
    Across all = all_.subgroup(members);
    std::vector<int> node_of, here;
    for (const int member : members) {
      node_of.push_back(map().number_of(member));
      if (node_of.back() == map().node()) here.push_back(map().place_of(member));
    }
    std::optional<SharedMemory> inside;
    if (inside_) inside.emplace(inside_->subgroup(here));
    return Nodes(std::move(all), std::move(inside), std::move(node_of));
  }

  /// As SharedMemory has them, where ranks share a node; buffers are read in place where the group lies within
  /// one.
  MemorySource symmetric_memory() const { return inside_ ? inside_->symmetric_memory() : MemorySource(); }
  template <class F>
  bool read_in_place(Collective what, const void* buffer, std::int64_t count, std::int64_t elements,
                     Element element, F&& f, bool even = true) const {
    return within_a_node() &&
           inside_->read_in_place(what, buffer, count, elements, element, std::forward<F>(f), even);
  }
  template <class F>
  bool sum_in_place(const void* send, void* recv, std::int64_t count, Element element, F&& f) const {
    return within_a_node() && inside_->sum_in_place(send, recv, count, element, std::forward<F>(f));
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction reduction,
                  Queue = {}) const {
    if (!lanes_.span_nodes())
      return by_one([&](const auto& comm) { comm.all_reduce(send, recv, count, element, reduction); });
    detail::check_buffers(Collective::all_reduce, send, recv, count);
    lanes_.all_reduce(*inside_, send, recv, count, element, reduction);
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    if (!lanes_.span_nodes())
      return by_one([&](const auto& comm) { comm.all_gather(send, recv, count_per_rank, element); });
    detail::check_buffers(Collective::all_gather, send, recv, count_per_rank, size());
    lanes_.all_gather(*inside_, send, recv, detail::Blocks(count_per_rank), element);
  }
  void all_gather(const void* send, void* recv, Counts counts, Element element, Queue = {}) const {
    if (!lanes_.span_nodes())
      return by_one([&](const auto& comm) { comm.all_gather(send, recv, counts, element); });
    detail::check_counts(Collective::all_gather, counts, size());
    detail::check_uneven(Collective::all_gather, send, detail::count_of(counts, rank()), recv,
                         detail::sum_of(counts));
    lanes_.all_gather(*inside_, send, recv, detail::Blocks(counts), element);
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                      Reduction reduction, Queue = {}) const {
    if (!lanes_.span_nodes())
      return by_one(
          [&](const auto& comm) { comm.reduce_scatter(send, recv, count_per_rank, element, reduction); });
    detail::check_buffers(Collective::reduce_scatter, send, recv, count_per_rank, size());
    lanes_.reduce_scatter(*inside_, send, recv, detail::Blocks(count_per_rank), element, reduction);
  }
  void reduce_scatter(const void* send, void* recv, Counts counts, Element element, Reduction reduction,
                      Queue = {}) const {
    if (!lanes_.span_nodes())
      return by_one([&](const auto& comm) { comm.reduce_scatter(send, recv, counts, element, reduction); });
    detail::check_counts(Collective::reduce_scatter, counts, size());
    detail::check_uneven(Collective::reduce_scatter, send, detail::sum_of(counts), recv,
                         detail::count_of(counts, rank()));
    lanes_.reduce_scatter(*inside_, send, recv, detail::Blocks(counts), element, reduction);
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    if (!lanes_.span_nodes() || !map().even())
      return by_one([&](const auto& comm) { comm.all_to_all(send, recv, count_per_rank, element); });
    detail::check_buffers(Collective::all_to_all, send, recv, count_per_rank, size());
    lanes_.all_to_all(*inside_, send, recv, count_per_rank, element);
  }
  void all_to_all(const void* send, Counts send_counts, void* recv, Counts recv_counts, Element element,
                  Queue = {}) const {
    if (!lanes_.span_nodes() || !map().even())
      return by_one([&](const auto& comm) { comm.all_to_all(send, send_counts, recv, recv_counts, element); });
    detail::check_counts(Collective::all_to_all, send_counts, size());
    detail::check_counts(Collective::all_to_all, recv_counts, size());
    detail::check_uneven(Collective::all_to_all, send, detail::sum_of(send_counts), recv,
                         detail::sum_of(recv_counts));
    lanes_.all_to_all(*inside_, send, send_counts, recv, recv_counts, element);
  }

  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue = {}) const {
    if (!lanes_.span_nodes())
      return by_one([&](const auto& comm) { comm.broadcast(buffer, count, element, root); });
    detail::check_buffer(Collective::broadcast, buffer, count);
    detail::check_rank(Collective::broadcast, "root", root, size());
    const bool here = map().number_of(root) == map().node();
    if (here) inside_->broadcast(buffer, count, element, map().place_of(root));
    if (map().place() == 0) lanes_.peers().broadcast(buffer, count, element, map().number_of(root));
    if (!here) inside_->broadcast(buffer, count, element, 0);
  }

  void barrier() const {
    if (!lanes_.span_nodes()) return by_one([](const auto& comm) { comm.barrier(); });
    inside_->barrier();
    if (map().place() == 0) lanes_.peers().barrier();
    inside_->barrier();
  }

  void send(const void* buffer, std::int64_t count, Element element, int to, int tag, Queue = {}) const {
    by_one([&](const auto& comm) { comm.send(buffer, count, element, to, tag); });
  }
  void recv(void* buffer, std::int64_t count, Element element, int from, int tag, Queue = {}) const {
    by_one([&](const auto& comm) { comm.recv(buffer, count, element, from, tag); });
  }
  void send_recv(const void* send_buffer, std::int64_t send_count, int to, void* recv_buffer,
                 std::int64_t recv_count, int from, Element element, int tag, Queue = {}) const {
    by_one([&](const auto& comm) {
      comm.send_recv(send_buffer, send_count, to, recv_buffer, recv_count, from, element, tag);
    });
  }

  /// Whether the group is of one node, and not of a single rank.
  bool within_a_node() const { return inside_ && nodes() == 1; }

 private:
  /// @param node_of  of every rank of the group: ranks with the same number share memory, which is `inside`
  Nodes(Across all, std::optional<SharedMemory> inside, std::vector<int> node_of)
      : all_(std::move(all)), inside_(std::move(inside)), lanes_(all_, {std::move(node_of), all_.rank()}) {
    if (map().all_apart()) inside_.reset();
  }

  const detail::NodeMap& map() const { return lanes_.map(); }

  /// Within a node through its memory, else across.
  template <class F>
  void by_one(F call) const {
    if (within_a_node()) {
      call(*inside_);
    } else {
      call(all_);
    }
  }

  Across all_;
  std::optional<SharedMemory> inside_;
  mutable detail::Lanes<Across> lanes_;
};

/// Started as `Across` starts them, where a group has ranks on several nodes; within a node a collective is
/// over when it has been started.
template <class Across>
requires Nonblocking<Across>::available struct Nonblocking<Nodes<Across>> {
  static constexpr bool available = true;
  using Inner = Nonblocking<Across>;
  using Pending = typename Inner::Pending;

  static Pending all_reduce(const Nodes<Across>& comm, const void* send, void* recv, std::int64_t count,
                            Element element, Reduction reduction) {
    if (!comm.within_a_node()) return Inner::all_reduce(comm.across(), send, recv, count, element, reduction);
    comm.all_reduce(send, recv, count, element, reduction);
    return {};
  }
  static Pending all_gather(const Nodes<Across>& comm, const void* send, void* recv, Counts counts,
                            Element element) {
    if (!comm.within_a_node()) return Inner::all_gather(comm.across(), send, recv, counts, element);
    comm.all_gather(send, recv, counts, element);
    return {};
  }
  static Pending reduce_scatter(const Nodes<Across>& comm, const void* send, void* recv, Counts counts,
                                Element element, Reduction reduction) {
    if (!comm.within_a_node())
      return Inner::reduce_scatter(comm.across(), send, recv, counts, element, reduction);
    comm.reduce_scatter(send, recv, counts, element, reduction);
    return {};
  }
  static Pending all_to_all(const Nodes<Across>& comm, const void* send, Counts send_counts, void* recv,
                            Counts recv_counts, Element element) {
    if (!comm.within_a_node())
      return Inner::all_to_all(comm.across(), send, send_counts, recv, recv_counts, element);
    comm.all_to_all(send, send_counts, recv, recv_counts, element);
    return {};
  }
  static Pending send_recv(const Nodes<Across>& comm, const void* send, std::int64_t send_count, int to,
                           void* recv, std::int64_t recv_count, int from, Element element) {
    if (!comm.within_a_node())
      return Inner::send_recv(comm.across(), send, send_count, to, recv, recv_count, from, element);
    comm.send_recv(send, send_count, to, recv, recv_count, from, element, 0);
    return {};
  }
};

}  // namespace tpx::comm
