// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tpx/comm/communicator.hpp>

namespace tpx::comm {

/// Which node a rank is on: ranks with the same value share memory.
using Node = std::array<char, 64>;

/// The node of this process: what the kernel drew when it started, which containers on it share. All
/// zero where the kernel does not say.
inline Node this_node() {
  Node node{};
  const int file = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (file < 0) return node;
  const ssize_t length = ::read(file, node.data(), node.size());
  ::close(file);
  if (length <= 0) node.fill(0);
  return node;
}

/// The node that ranks are told to be on: node_named(rank / 4) makes nodes of four ranks.
inline Node node_named(int number) {
  Node node{'#'};
  std::to_chars(node.data() + 1, node.data() + node.size(), number);
  return node;
}

/// For each rank the first rank of its node.
/// @comm an all-gather of 64 u8
template <Communicator Comm>
std::vector<int> nodes_of(const Comm& ranks, const Node& node) {
  std::vector<Node> named(static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(node.data(), named.data(), static_cast<std::int64_t>(node.size()), Element::u8);
  std::vector<int> first;
  for (const Node& its : named)
    first.push_back(static_cast<int>(std::find(named.begin(), named.end(), its) - named.begin()));
  return first;
}

/// The same ranks, those of one node one after the other, however the launcher dealt them out: on a mesh of
/// them the innermost axes lie within a node, where their ranks share memory. Nodes come in the order of their
/// first ranks, the ranks of each in theirs; rank 0 stays rank 0.
///
///   auto mesh = make_mesh<dp, tp>(by_node(env.world()), {0, 4});
///
/// @param node  the node that this rank counts as being on
/// @comm  over `ranks`: an all-gather of 64 u8; makes a group
template <Communicator Comm>
Comm by_node(const Comm& ranks, const Node& node = this_node()) {
  const std::vector<int> first = nodes_of(ranks, node);
  std::vector<int> order;
  for (int r = 0; r < ranks.size(); ++r) order.push_back(r);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return first[static_cast<std::size_t>(a)] < first[static_cast<std::size_t>(b)];
  });
  return ranks.subgroup(order);
}

}  // namespace tpx::comm
