// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/error.hpp>
#include <tpx/kernel/attention_groups.hpp>
#include <tpx/kernel/attention_host.hpp>
#include <tpx/kernel/attention_shape.hpp>
#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/group.hpp>

namespace tpx::kernel {
namespace impl {

/// delta (batch, heads, queries) = sum over the head's dims of d_o o.
template <class T>
struct AttentionDelta {
  AttentionShape n;
  const T* o;
  const T* d_o;
  T* delta;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t index) const {
    const std::int64_t h = index % n.heads, i = index / n.heads % n.queries, b = index / n.heads / n.queries;
    const T* left = o + index * n.head_dim;
    const T* right = d_o + index * n.head_dim;
    const T sum = group_sum<T>(group, n.head_dim, [=](std::int64_t c) { return left[c] * right[c]; });
    if (group.lane() == 0) delta[(b * n.heads + h) * n.queries + i] = sum;
  }
};

inline void check_attention(const AttentionShape& n) {
  if (n.sharing > 0) {
    TPX_EXPECTS(n.first_head >= 0 && n.first_head + n.heads <= n.sharing * n.kv_heads, n.first_head, n.heads,
                n.sharing, n.kv_heads, "each query head has a key head");
  } else {
    TPX_EXPECTS(n.kv_heads > 0 ? n.heads % n.kv_heads == 0 : n.heads == 0, n.heads, n.kv_heads,
                "query heads share key heads evenly");
  }
}

template <class T, class Exec>
void attention_in_groups(const Exec& exec, const AttentionShape& n, const T* q, const T* k, const T* v, T* o,
                         T* lse) {
  for_groups(exec, "tpx::attention", n.batch * n.heads * n.queries, AttentionForward<T>{n, q, k, v, o, lse},
             AttentionForward<T>::scratch_bytes(n.head_dim));
}

template <class T, class Exec>
void attention_backward_in_groups(const Exec& exec, const AttentionShape& n, const T* q, const T* k, const T* v,
                                  const T* lse, const T* d_o, const T* delta, T* dq, T* dk, T* dv) {
  for_groups(exec, "tpx::attention_dq", n.batch * n.heads * n.queries,
             AttentionQueryGradient<T>{n, q, k, v, lse, d_o, delta, dq},
             AttentionQueryGradient<T>::scratch_bytes(n.head_dim));
  for_groups(exec, "tpx::attention_dkv", n.batch * n.kv_heads * n.keys,
             AttentionKeyGradient<T>{n, q, k, v, lse, d_o, delta, dk, dv},
             AttentionKeyGradient<T>::scratch_bytes(n.head_dim));
}

}  // namespace impl

/// Multi-head attention, blocked with an online softmax: memory grows with the number of queries alone.
///
///   o = softmax(scale q k^T) v,   lse = log of the softmax's denominator
///
///   q, o  (batch, queries, heads, head_dim)    k, v  (batch, keys, kv_heads, head_dim)
///   lse   (batch, heads, queries), kept for the backward
///
/// @pre    heads % kv_heads == 0, or n.sharing says how they share
/// @post   a query that sees no key gives o = 0 and lse = -infinity
/// @throws tpx::Error naming the heads
/// @see    arXiv:2205.14135; arXiv:2305.13245 for grouped queries; AttentionShape
template <class T, class Exec>
void attention(const Exec& exec, const AttentionShape& n, const T* q, const T* k, const T* v, T* o, T* lse) {
  impl::check_attention(n);
  if (is_host_space_v<Exec> && n.queries == 1) return impl::attention_in_groups(exec, n, q, k, v, o, lse);
  if constexpr (is_host_space_v<Exec>) {
    const std::int64_t tile = impl::attention_tile<impl::AttentionForwardTiles, T>(n.head_dim);
    for_groups(exec, "tpx::attention", n.batch * n.heads * ((n.queries + tile - 1) / tile),
               impl::AttentionForwardHost<T>{n, q, k, v, o, lse, tile},
               impl::AttentionForwardTiles<T>::bytes(n.head_dim, tile));
  } else {
    impl::attention_in_groups(exec, n, q, k, v, o, lse);
  }
}

/// The gradients of attention, probabilities computed again from lse.
///
/// @param  delta  scratch of (batch, heads, queries)
/// @post   dq, dk, dv are overwritten; deterministic, without atomics
/// @throws tpx::Error naming the heads
/// @see    arXiv:2307.08691
template <class T, class Exec>
void attention_backward(const Exec& exec, const AttentionShape& n, const T* q, const T* k, const T* v,
                        const T* o, const T* lse, const T* d_o, T* delta, T* dq, T* dk, T* dv) {
  impl::check_attention(n);
  for_groups(exec, "tpx::attention_delta", n.batch * n.queries * n.heads,
             impl::AttentionDelta<T>{n, o, d_o, delta});
  if constexpr (is_host_space_v<Exec>) {
    const std::int64_t tile = impl::attention_tile<impl::AttentionBackwardTiles, T>(n.head_dim);
    if (n.keys == 0) fill(exec, dq, n.batch * n.queries * n.heads * n.head_dim, T(0));
    for_groups(exec, "tpx::attention_backward", n.batch * n.kv_heads,
               impl::AttentionBackwardHost<T>{n, q, k, v, lse, d_o, delta, dq, dk, dv, tile},
               impl::AttentionBackwardTiles<T>::bytes(n.head_dim, tile));
  } else {
    impl::attention_backward_in_groups(exec, n, q, k, v, lse, d_o, delta, dq, dk, dv);
  }
}

}  // namespace tpx::kernel
