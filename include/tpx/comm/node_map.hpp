// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace tpx::comm::detail {

/// Which rank of a group is on which node, and which ranks carry what goes from node to node.
///
/// Nodes are numbered in the order of their first ranks, and a rank's place is its number among those of its
/// node. The ranks of one place, one of each node, are a lane. Where the nodes have equally many ranks there
/// are as many lanes as places, and a rank's blocks go by its own; otherwise the first ranks of the nodes are
/// the only lane.
class NodeMap {
 public:
  /// @param node_of  of every rank of the group: ranks with the same number share memory
  NodeMap(std::vector<int> node_of, int rank) : node_of_(std::move(node_of)), rank_(rank) {
    const std::size_t p = node_of_.size();
    number_.resize(p);
    place_.resize(p);
    for (std::size_t r = 0; r < p; ++r) {
      std::size_t node = 0;
      while (node < on_.size() && node_of_[static_cast<std::size_t>(on_[node][0])] != node_of_[r]) ++node;
      if (node == on_.size()) on_.emplace_back();
      number_[r] = static_cast<int>(node);
      place_[r] = static_cast<int>(on_[node].size());
      on_[node].push_back(static_cast<int>(r));
    }
    even_ =
        std::all_of(on_.begin(), on_.end(), [&](const auto& ranks) { return ranks.size() == on_[0].size(); });
    for (int lane = 0; lane < lanes(); ++lane)
      for (const std::vector<int>& ranks : on_)
        for (const int r : ranks)
          if (lane_of(r) == lane) order_.push_back(r);
  }

  int nodes() const { return static_cast<int>(on_.size()); }
  /// Whether no two ranks share a node.
  bool all_apart() const { return on_.size() == node_of_.size(); }
  /// Whether the nodes have equally many ranks.
  bool even() const { return even_; }
  int lanes() const { return even_ ? static_cast<int>(on_[0].size()) : 1; }

  const std::vector<int>& node_of() const { return node_of_; }
  int number_of(int rank) const { return number_[static_cast<std::size_t>(rank)]; }
  int place_of(int rank) const { return place_[static_cast<std::size_t>(rank)]; }
  /// The lane by which what a rank sends and receives goes.
  int lane_of(int rank) const { return even_ ? place_of(rank) : 0; }

  /// This rank's node.
  int node() const { return number_of(rank_); }
  int place() const { return place_of(rank_); }
  bool in_a_lane() const { return place() < lanes(); }

  const std::vector<int>& ranks_on(int node) const { return on_[static_cast<std::size_t>(node)]; }
  /// All ranks in the order in which the lanes have their blocks: by lane, by node, by place.
  const std::vector<int>& order() const { return order_; }

  /// The ranks of this rank's lane, in the order of the nodes; all that are in none for a rank that is in none.
  std::vector<int> peers() const {
    std::vector<int> ranks;
    for (const std::vector<int>& on_node : on_)
      for (const int r : on_node)
        if (in_a_lane() ? place_of(r) == place() : place_of(r) >= lanes()) ranks.push_back(r);
    return ranks;
  }

 private:
  std::vector<int> node_of_;
  int rank_;
  std::vector<int> number_, place_;
  std::vector<std::vector<int>> on_;
  bool even_ = true;
  std::vector<int> order_;
};

}  // namespace tpx::comm::detail
