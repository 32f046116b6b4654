// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/config.hpp>

namespace tpx::kernel {

/// The extents of one attention.
///
///   q, o  (batch, queries, heads, head_dim)    k, v  (batch, keys, kv_heads, head_dim)
///
/// Query head i reads key head i / (heads / kv_heads). With `causal`, the last query sees every key, the
/// one before it one key less, and so on.
struct AttentionShape {
  std::int64_t batch = 0, queries = 0, keys = 0, heads = 0, kv_heads = 0, head_dim = 0;
  bool causal = false;
  double scale = 1.0;
  /// Where not null, of each of the batch: keys from here on are padding, which no query sees.
  const std::int32_t* lengths = nullptr;
  /// Where not 0, how many query heads share a key head, these query heads being a part of all, from number
  /// `first_head` on: query head i reads key head (first_head + i) / sharing.
  std::int64_t sharing = 0, first_head = 0;

  TPX_FUNCTION constexpr std::int64_t heads_per_kv() const { return sharing > 0 ? sharing : heads / kv_heads; }
  TPX_FUNCTION constexpr std::int64_t kv_head_of(std::int64_t head) const {
    return (first_head + head) / heads_per_kv();
  }
  /// The query heads [first_reader, last_reader) read key head kv.
  TPX_FUNCTION constexpr std::int64_t first_reader(std::int64_t kv) const {
    return clamp(kv * heads_per_kv() - first_head, heads);
  }
  TPX_FUNCTION constexpr std::int64_t last_reader(std::int64_t kv) const {
    return clamp((kv + 1) * heads_per_kv() - first_head, heads);
  }
  /// How many keys of b are no padding.
  TPX_FUNCTION constexpr std::int64_t length(std::int64_t b) const {
    return lengths != nullptr ? clamp(lengths[b], keys) : keys;
  }
  /// How many keys query i of b sees: those before this one. May be negative.
  TPX_FUNCTION constexpr std::int64_t visible(std::int64_t b, std::int64_t i) const {
    const std::int64_t all = length(b), before = i + 1 + keys - queries;
    return causal && before < all ? before : all;
  }
  /// The first query that sees key j, where one does. May be negative.
  TPX_FUNCTION constexpr std::int64_t first_query(std::int64_t j) const {
    return causal ? j - keys + queries : 0;
  }

 private:
  TPX_FUNCTION static constexpr std::int64_t clamp(std::int64_t i, std::int64_t most) {
    return i < 0 ? 0 : i < most ? i : most;
  }
};

}  // namespace tpx::kernel
