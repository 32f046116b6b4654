// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/combine.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm {

/// A group whose ranks are on several nodes: those of one node exchange buffers through memory that they share,
/// and nodes exchange them by `Across`, a communicator of all ranks.
///
/// A group made from this one that lies within a node is the node's alone. One that spans nodes sums on each
/// node first, then across, each rank a slice where the nodes have equally many ranks of it; it broadcasts from
/// node to node and then on each; its other calls are those of `Across`. Sums across nodes are taken as
/// `Across` takes them; of bfloat16 each node's sum is rounded before it goes there.
template <Communicator Across>
class Nodes {
  static_assert(Across::host_driven, "tpx::comm::Nodes: the communicator across nodes is driven from the host");

 public:
  static constexpr bool host_driven = true;

  /// @param  node  the node that this rank counts as being on
  /// @throws tpx::Error on all ranks, as SharedMemory::over does
  /// @comm   over `all`: an all-gather of 64 u8; then makes groups of it, and the shared memory of each node
  static Nodes over(Across all, const Node& node = this_node()) {
    const std::size_t p = static_cast<std::size_t>(all.size());
    std::vector<Node> named(p);
    all.all_gather(node.data(), named.data(), static_cast<std::int64_t>(node.size()), Element::u8);
    std::vector<int> node_of(p);
    for (std::size_t r = 0; r < p; ++r)  // a node goes by its first rank
      node_of[r] = static_cast<int>(std::find(named.begin(), named.end(), named[r]) - named.begin());
    SharedMemory inside = [&] {
      const Across together = all.subgroup(ranks_on(node_of, node_of[static_cast<std::size_t>(all.rank())]));
      return SharedMemory::over(together, node);
    }();
    return Nodes(std::move(all), std::move(inside), std::move(node_of));
  }

  Nodes(Nodes&&) noexcept = default;
  Nodes& operator=(Nodes&&) noexcept = default;

  int rank() const { return all_.rank(); }
  int size() const { return all_.size(); }
  /// On how many nodes the ranks are.
  int nodes() const { return nodes_; }

  void set_label(std::string_view name) {
    inside_.set_label(name);
    for (Across* const group : {&all_, &peers_})
      if constexpr (requires { group->set_label(name); }) group->set_label(name);
  }

  Nodes duplicate() const { return Nodes(all_.duplicate(), inside_.duplicate(), node_of_); }

  Nodes subgroup(std::span<const int> members) const {
    Across all = all_.subgroup(members);
    std::vector<int> node_of, here;
    for (const int member : members) {
      node_of.push_back(node_of_[static_cast<std::size_t>(member)]);
      if (node_of.back() == my_node()) here.push_back(place_of(member));
    }
    return Nodes(std::move(all), inside_.subgroup(here), std::move(node_of));
  }

  /// As SharedMemory has them; buffers are read in place where the group lies within a node.
  MemorySource symmetric_memory() const { return inside_.symmetric_memory(); }
  template <class F>
  bool read_in_place(Collective what, const void* buffer, std::int64_t count, std::int64_t elements,
                     Element element, F&& f, bool even = true) const {
    return nodes_ == 1 && inside_.read_in_place(what, buffer, count, elements, element, std::forward<F>(f), even);
  }
  template <class F>
  bool sum_in_place(const void* send, void* recv, std::int64_t count, Element element, F&& f) const {
    return nodes_ == 1 && inside_.sum_in_place(send, recv, count, element, std::forward<F>(f));
  }

  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction reduction,
                  Queue = {}) const {
    detail::check_buffers(Collective::all_reduce, send, recv, count);
    if (nodes_ == 1 || !even_ || count == 0) {
      inside_.all_reduce(send, recv, count, element, reduction);
      if (nodes_ == 1 || count == 0) return;
      if (inside_.rank() == 0) peers_.all_reduce(recv, recv, count, element, reduction);
      return inside_.broadcast(recv, count, element, 0);
    }
    const std::int64_t p = inside_.size();
    for (std::int64_t k = 0; k < p; ++k)
      slices_[static_cast<std::size_t>(k)] = count / p + (k < count % p ? 1 : 0);
    const std::int64_t mine = detail::count_of(slices_, inside_.rank());
    void* const slice = scratch(mine * element_size(element));
    inside_.reduce_scatter(send, slice, slices_, element, reduction);
    peers_.all_reduce(slice, slice, mine, element, reduction);
    inside_.all_gather(slice, recv, slices_, element);
  }

  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue = {}) const {
    detail::check_buffer(Collective::broadcast, buffer, count);
    detail::check_rank(Collective::broadcast, "root", root, size());
    const bool here = node_of_[static_cast<std::size_t>(root)] == my_node();
    if (here) inside_.broadcast(buffer, count, element, place_of(root));
    if (nodes_ > 1 && inside_.rank() == 0) peers_.broadcast(buffer, count, element, number_of(root));
    if (!here) inside_.broadcast(buffer, count, element, 0);
  }

  void barrier() const {
    inside_.barrier();
    if (nodes_ == 1) return;
    if (inside_.rank() == 0) peers_.barrier();
    inside_.barrier();
  }

  void all_gather(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    on([&](const auto& comm) { comm.all_gather(send, recv, count_per_rank, element); });
  }
  void all_gather(const void* send, void* recv, Counts counts, Element element, Queue = {}) const {
    on([&](const auto& comm) { comm.all_gather(send, recv, counts, element); });
  }

  void reduce_scatter(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                      Reduction reduction, Queue = {}) const {
    on([&](const auto& comm) { comm.reduce_scatter(send, recv, count_per_rank, element, reduction); });
  }
  void reduce_scatter(const void* send, void* recv, Counts counts, Element element, Reduction reduction,
                      Queue = {}) const {
    on([&](const auto& comm) { comm.reduce_scatter(send, recv, counts, element, reduction); });
  }

  void all_to_all(const void* send, void* recv, std::int64_t count_per_rank, Element element,
                  Queue = {}) const {
    on([&](const auto& comm) { comm.all_to_all(send, recv, count_per_rank, element); });
  }
  void all_to_all(const void* send, Counts send_counts, void* recv, Counts recv_counts, Element element,
                  Queue = {}) const {
    on([&](const auto& comm) { comm.all_to_all(send, send_counts, recv, recv_counts, element); });
  }

  void send(const void* buffer, std::int64_t count, Element element, int to, int tag, Queue = {}) const {
    on([&](const auto& comm) { comm.send(buffer, count, element, to, tag); });
  }
  void recv(void* buffer, std::int64_t count, Element element, int from, int tag, Queue = {}) const {
    on([&](const auto& comm) { comm.recv(buffer, count, element, from, tag); });
  }
  void send_recv(const void* send_buffer, std::int64_t send_count, int to, void* recv_buffer,
                 std::int64_t recv_count, int from, Element element, int tag, Queue = {}) const {
    on([&](const auto& comm) {
      comm.send_recv(send_buffer, send_count, to, recv_buffer, recv_count, from, element, tag);
    });
  }

 private:
  /// @param node_of  of every rank of the group: ranks with the same number share memory
  Nodes(Across all, SharedMemory inside, std::vector<int> node_of)
      : all_(std::move(all)),
        inside_(std::move(inside)),
        node_of_(std::move(node_of)),
        nodes_(count_nodes()),
        even_(all_nodes_are_alike()),
        peers_(all_.subgroup(peers())),
        slices_(static_cast<std::size_t>(inside_.size())) {}

  static std::vector<int> ranks_on(const std::vector<int>& node_of, int node) {
    std::vector<int> ranks;
    for (std::size_t r = 0; r < node_of.size(); ++r)
      if (node_of[r] == node) ranks.push_back(static_cast<int>(r));
    return ranks;
  }

  int my_node() const { return node_of_[static_cast<std::size_t>(all_.rank())]; }

  /// Which of its node's ranks a rank is: its rank inside.
  int place_of(int rank) const {
    const int node = node_of_[static_cast<std::size_t>(rank)];
    return static_cast<int>(std::count(node_of_.begin(), node_of_.begin() + rank, node));
  }

  /// The nodes' first ranks, in order.
  std::vector<int> leaders() const {
    std::vector<int> firsts;
    for (int r = 0; r < all_.size(); ++r)
      if (place_of(r) == 0) firsts.push_back(r);
    return firsts;
  }
  int count_nodes() const { return static_cast<int>(leaders().size()); }

  /// The number of a rank's node, as the leaders are counted.
  int number_of(int rank) const {
    int number = 0;
    for (const int leader : leaders()) {
      if (node_of_[static_cast<std::size_t>(leader)] == node_of_[static_cast<std::size_t>(rank)]) break;
      ++number;
    }
    return number;
  }

  bool all_nodes_are_alike() const {
    return std::all_of(node_of_.begin(), node_of_.end(), [&](int node) {
      return std::count(node_of_.begin(), node_of_.end(), node) == inside_.size();
    });
  }

  /// Ranks of the same place, one of each node in the leaders' order; where there are not as many on each, the
  /// leaders are a group and the others one that nobody uses.
  std::vector<int> peers() const {
    std::vector<int> ranks;
    for (const int leader : leaders())
      for (int r = leader; r < all_.size(); ++r) {
        const bool same_node =
            node_of_[static_cast<std::size_t>(r)] == node_of_[static_cast<std::size_t>(leader)];
        const bool together =
            even_ ? place_of(r) == inside_.rank() : (place_of(r) == 0) == (inside_.rank() == 0);
        if (same_node && together) ranks.push_back(r);
      }
    return ranks;
  }

  /// Within a node through its memory, else across.
  template <class F>
  void on(F call) const {
    if (nodes_ == 1) {
      call(inside_);
    } else {
      call(all_);
    }
  }

  void* scratch(std::int64_t bytes) const {
    if (bytes > scratch_bytes_) {
      scratch_ = inside_.symmetric_memory()(bytes);
      if (scratch_ == nullptr) scratch_ = std::shared_ptr<char[]>(new char[static_cast<std::size_t>(bytes)]);
      scratch_bytes_ = bytes;
    }
    return scratch_.get();
  }

  Across all_;
  SharedMemory inside_;
  std::vector<int> node_of_;
  int nodes_;
  bool even_;
  Across peers_;
  mutable std::vector<std::int64_t> slices_;
  mutable std::shared_ptr<void> scratch_;
  mutable std::int64_t scratch_bytes_ = 0;
};

}  // namespace tpx::comm
