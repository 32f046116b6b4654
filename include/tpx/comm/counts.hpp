// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/communicator.hpp>

namespace tpx::comm {

/// How many elements each rank of a group has, in the order of the ranks.
using Counts = std::span<const std::int64_t>;

namespace detail {

inline std::int64_t sum_of(Counts counts) {
  std::int64_t sum = 0;
  for (const std::int64_t count : counts) sum += count;
  return sum;
}

inline std::int64_t largest_of(Counts counts) {
  return counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
}

inline std::int64_t count_of(Counts counts, int rank) { return counts[static_cast<std::size_t>(rank)]; }

/// Where the block of `rank` starts when the blocks lie one after the other.
inline std::int64_t start_of(Counts counts, int rank) {
  return sum_of(counts.first(static_cast<std::size_t>(rank)));
}

/// A number that blocks of other sizes hardly share, for comparing the calls of ranks; never 0.
inline std::uint32_t mark_of(Counts counts) {
  std::uint64_t mark = 14695981039346656037U;
  for (const std::int64_t count : counts) mark = (mark ^ static_cast<std::uint64_t>(count)) * 1099511628211U;
  return static_cast<std::uint32_t>(mark >> 32) | 1U;
}

/// Counts by themselves: one for each rank, none negative, and a sum whose bytes can be counted.
inline void check_counts(Collective what, Counts counts, int ranks) {
  if constexpr (check_level >= check_level_cheap) {
    if (counts.size() != static_cast<std::size_t>(ranks))
      refuse(name(what), "there is one count for each rank; ranks = " + std::to_string(ranks) +
                             ", counts = " + std::to_string(counts.size()));
    std::int64_t left = INT64_MAX / 16;
    for (const std::int64_t count : counts) {
      if (count < 0) refuse(name(what), "a count is not negative; count = " + std::to_string(count));
      if (count > left) refuse(name(what), "the buffers exceed 2^63 bytes; count = " + std::to_string(count));
      left -= count;
    }
  }
}

/// The buffers of an uneven collective on this rank.
inline void check_uneven(Collective what, const void* send, std::int64_t sent, const void* recv,
                         std::int64_t received) {
  check_buffer(what, send, sent);
  check_buffer(what, recv, received);
  if constexpr (check_level >= check_level_cheap) {
    if (send == recv && sent > 0 && received > 0)
      refuse(name(what), "send and recv do not overlap; only all_reduce works in place");
  }
}

/// The blocks of a buffer, one for each rank, even or uneven, one after the other.
class Blocks {
 public:
  explicit Blocks(std::int64_t each) : each_(each) {}
  /// @pre counts is not empty
  explicit Blocks(Counts counts) : counts_(counts) {}

  std::int64_t size(int rank) const { return counts_.empty() ? each_ : count_of(counts_, rank); }
  std::int64_t start(int rank) const { return counts_.empty() ? rank * each_ : start_of(counts_, rank); }
  std::int64_t largest() const { return counts_.empty() ? each_ : largest_of(counts_); }
  /// As ranks compare it: how many elements, and which blocks (0 where they are even).
  std::int64_t count() const { return counts_.empty() ? each_ : sum_of(counts_); }
  std::uint32_t mark() const { return counts_.empty() ? 0 : mark_of(counts_); }

 private:
  Counts counts_;
  std::int64_t each_ = 0;
};

/// A block that two ranks exchange has one size: the text is the same on every rank; empty where it has.
inline std::string exchange_error(int from, int to, std::int64_t sent, std::int64_t expected) {
  if (sent == expected) return {};
  return "tpx::comm::all_to_all: a block has the size that its receiver expects; rank " + std::to_string(from) +
         " sent " + std::to_string(sent) + " elements, rank " + std::to_string(to) + " expected " +
         std::to_string(expected);
}

}  // namespace detail
}  // namespace tpx::comm
