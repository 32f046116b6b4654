// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tpx::detail {

/// The merges of a byte-pair encoding: which two tokens, side by side, become one, the earlier ones first.
class BpeMerges {
 public:
  /// False where the pair has a merge already.
  bool add(std::int32_t left, std::int32_t right, std::int32_t merged) {
    return merges_.emplace(key(left, right), Merge{static_cast<std::int32_t>(merges_.size()), merged}).second;
  }

  /// Merges until no two neighbours have a merge: each time the pair that comes first in the list, the
  /// leftmost where it is there more than once. n log n for n tokens.
  void apply(std::vector<std::int32_t>& tokens) const {
    const auto n = static_cast<std::int32_t>(tokens.size());
    std::vector<std::int32_t> before(tokens.size()), after(tokens.size());
    for (std::int32_t i = 0; i < n; ++i) before[at(i)] = i - 1, after[at(i)] = i + 1;

    // The pair is noted with its tokens: one that has changed since is passed over.
    struct Candidate {
      std::int32_t rank, place, left, right;
      bool operator>(const Candidate& other) const {
        return std::tie(rank, place) > std::tie(other.rank, other.place);
      }
    };
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto offer = [&](std::int32_t left, std::int32_t right) {
      if (left < 0 || right >= n) return;
      const auto found = merges_.find(key(tokens[at(left)], tokens[at(right)]));
      if (found != merges_.end()) queue.push({found->second.rank, left, tokens[at(left)], tokens[at(right)]});
    };
    for (std::int32_t i = 0; i + 1 < n; ++i) offer(i, i + 1);

    while (!queue.empty()) {
      const Candidate c = queue.top();
      queue.pop();
      const std::int32_t right = after[at(c.place)];
      if (tokens[at(c.place)] != c.left || right >= n || tokens[at(right)] != c.right) continue;
      tokens[at(c.place)] = merges_.find(key(c.left, c.right))->second.merged;
      tokens[at(right)] = gone;
      after[at(c.place)] = after[at(right)];
      if (after[at(right)] < n) before[at(after[at(right)])] = c.place;
      offer(before[at(c.place)], c.place);
      offer(c.place, after[at(c.place)]);
    }
    std::erase(tokens, gone);
  }

 private:
  static constexpr std::int32_t gone = -1;
  struct Merge {
    std::int32_t rank, merged;
  };

  static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }

  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace tpx::detail
