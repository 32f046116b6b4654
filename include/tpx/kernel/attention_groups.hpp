// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>

#include <tpx/core/math.hpp>
#include <tpx/kernel/attention_shape.hpp>
#include <tpx/kernel/group.hpp>

/// Attention for groups of any width, a group per row: what a device runs. Scores of a tile of the other
/// side lie in scratch; lanes share out the tile first, then the head's dims.
namespace tpx::kernel::impl {

inline constexpr std::int64_t attention_group_tile = 128;

template <class T>
KOKKOS_FUNCTION T dot_product(const T* a, const T* b, std::int64_t n) {
  T sum = 0;
  for (std::int64_t c = 0; c < n; ++c) sum += a[c] * b[c];
  return sum;
}

/// Forward: one index per (batch, head, query).
template <class T>
struct AttentionForward {
  AttentionShape n;
  const T* q;
  const T* k;
  const T* v;
  T* o;
  T* lse;

  static std::size_t scratch_bytes(std::int64_t d) {
    return static_cast<std::size_t>(attention_group_tile + d) * sizeof(T);
  }

  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t index) const {
    const std::int64_t i = index % n.queries, h = index / n.queries % n.heads, b = index / n.queries / n.heads;
    const std::int64_t d = n.head_dim, stride = n.kv_heads * d, visible = n.visible(i);
    const std::int64_t head = (b * n.keys * n.kv_heads + n.kv_head_of(h)) * d;
    const T* query = q + ((b * n.queries + i) * n.heads + h) * d;
    T* p = group.template scratch<T>();
    T* sums = p + attention_group_tile;
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    T largest = lowest, sum = 0;
    for (std::int64_t c = group.lane(); c < d; c += group.width()) sums[c] = 0;
    for (std::int64_t j0 = 0; j0 < visible; j0 += attention_group_tile) {
      const std::int64_t keys = visible - j0 < attention_group_tile ? visible - j0 : attention_group_tile;
      T raised = lowest;
      for (std::int64_t j = group.lane(); j < keys; j += group.width()) {
        p[j] = dot_product(query, k + head + (j0 + j) * stride, d) * static_cast<T>(n.scale);
        raised = raised < p[j] ? p[j] : raised;
      }
      raised = group.max(raised);
      raised = raised < largest ? largest : raised;
      const T factor = largest == lowest ? T(0) : math::exp(largest - raised);
      T part = 0;
      for (std::int64_t j = group.lane(); j < keys; j += group.width()) part += p[j] = math::exp(p[j] - raised);
      sum = sum * factor + group.sum(part);
      largest = raised;
      group.barrier();  // every lane reads the whole tile
      for (std::int64_t c = group.lane(); c < d; c += group.width()) {
        T total = sums[c] * factor;
        for (std::int64_t j = 0; j < keys; ++j) total += p[j] * v[head + (j0 + j) * stride + c];
        sums[c] = total;
      }
      group.barrier();  // before the next tile's scores
    }
    T* out = o + ((b * n.queries + i) * n.heads + h) * d;
    const T inverse = sum > T(0) ? T(1) / sum : T(0);
    for (std::int64_t c = group.lane(); c < d; c += group.width()) out[c] = sums[c] * inverse;
    if (group.lane() == 0) lse[(b * n.heads + h) * n.queries + i] = largest + math::log(sum);
  }
};

/// The gradient of a query: one index per (batch, head, query).
template <class T>
struct AttentionQueryGradient {
  AttentionShape n;
  const T* q;
  const T* k;
  const T* v;
  const T* lse;
  const T* d_o;
  const T* delta;
  T* dq;

  static std::size_t scratch_bytes(std::int64_t d) {
    return static_cast<std::size_t>(attention_group_tile + d) * sizeof(T);
  }

  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t index) const {
    const std::int64_t i = index % n.queries, h = index / n.queries % n.heads, b = index / n.queries / n.heads;
    const std::int64_t d = n.head_dim, stride = n.kv_heads * d, visible = n.visible(i);
    const std::int64_t head = (b * n.keys * n.kv_heads + n.kv_head_of(h)) * d;
    const std::int64_t at = ((b * n.queries + i) * n.heads + h) * d, row = (b * n.heads + h) * n.queries + i;
    const T scale = static_cast<T>(n.scale);
    T* ds = group.template scratch<T>();
    T* sums = ds + attention_group_tile;
    for (std::int64_t c = group.lane(); c < d; c += group.width()) sums[c] = 0;
    for (std::int64_t j0 = 0; j0 < visible; j0 += attention_group_tile) {
      const std::int64_t keys = visible - j0 < attention_group_tile ? visible - j0 : attention_group_tile;
      for (std::int64_t j = group.lane(); j < keys; j += group.width()) {
        const std::int64_t key = head + (j0 + j) * stride;
        const T p = math::exp(dot_product(q + at, k + key, d) * scale - lse[row]);
        ds[j] = p * (dot_product(d_o + at, v + key, d) - delta[row]) * scale;
      }
      group.barrier();
      for (std::int64_t c = group.lane(); c < d; c += group.width()) {
        T total = sums[c];
        for (std::int64_t j = 0; j < keys; ++j) total += ds[j] * k[head + (j0 + j) * stride + c];
        sums[c] = total;
      }
      group.barrier();
    }
    for (std::int64_t c = group.lane(); c < d; c += group.width()) dq[at + c] = sums[c];
  }
};

/// The gradients of a key and its value: one index per (batch, key head, key), which walks the query heads
/// and queries that read it. No atomics: one order of summation.
template <class T>
struct AttentionKeyGradient {
  AttentionShape n;
  const T* q;
  const T* k;
  const T* v;
  const T* lse;
  const T* d_o;
  const T* delta;
  T* dk;
  T* dv;

  static std::size_t scratch_bytes(std::int64_t d) {
    return static_cast<std::size_t>(2 * attention_group_tile + 2 * d) * sizeof(T);
  }

  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t index) const {
    const std::int64_t j = index % n.keys, kv = index / n.keys % n.kv_heads, b = index / n.keys / n.kv_heads;
    const std::int64_t d = n.head_dim, stride = n.heads * d, per_group = n.heads / n.kv_heads;
    const std::int64_t key = ((b * n.keys + j) * n.kv_heads + kv) * d;
    const std::int64_t first = n.first_query(j) > 0 ? n.first_query(j) : 0;
    const T scale = static_cast<T>(n.scale);
    T* p = group.template scratch<T>();
    T* ds = p + attention_group_tile;
    T* key_sums = ds + attention_group_tile;
    T* value_sums = key_sums + d;
    for (std::int64_t c = group.lane(); c < d; c += group.width()) key_sums[c] = value_sums[c] = 0;
    for (std::int64_t h = kv * per_group; h < (kv + 1) * per_group; ++h) {
      const std::int64_t head = (b * n.queries * n.heads + h) * d, row = (b * n.heads + h) * n.queries;
      for (std::int64_t i0 = first; i0 < n.queries; i0 += attention_group_tile) {
        const std::int64_t rows = n.queries - i0 < attention_group_tile ? n.queries - i0 : attention_group_tile;
        for (std::int64_t i = group.lane(); i < rows; i += group.width()) {
          const std::int64_t query = head + (i0 + i) * stride;
          p[i] = math::exp(dot_product(q + query, k + key, d) * scale - lse[row + i0 + i]);
          ds[i] = p[i] * (dot_product(d_o + query, v + key, d) - delta[row + i0 + i]) * scale;
        }
        group.barrier();
        for (std::int64_t c = group.lane(); c < d; c += group.width()) {
          T key_total = key_sums[c], value_total = value_sums[c];
          for (std::int64_t i = 0; i < rows; ++i) {
            key_total += ds[i] * q[head + (i0 + i) * stride + c];
            value_total += p[i] * d_o[head + (i0 + i) * stride + c];
          }
          key_sums[c] = key_total;
          value_sums[c] = value_total;
        }
        group.barrier();
      }
    }
    for (std::int64_t c = group.lane(); c < d; c += group.width()) {
      dk[key + c] = key_sums[c];
      dv[key + c] = value_sums[c];
    }
  }
};

}  // namespace tpx::kernel::impl
