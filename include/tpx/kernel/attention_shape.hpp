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

  TPX_FUNCTION constexpr std::int64_t kv_head_of(std::int64_t head) const { return head / (heads / kv_heads); }
  /// How many keys query i sees: those before this one. May be negative.
  TPX_FUNCTION constexpr std::int64_t visible(std::int64_t i) const {
    return causal ? i + 1 + keys - queries : keys;
  }
  /// The first query that sees key j. May be negative.
  TPX_FUNCTION constexpr std::int64_t first_query(std::int64_t j) const {
    return causal ? j - keys + queries : 0;
  }
};

}  // namespace tpx::kernel
