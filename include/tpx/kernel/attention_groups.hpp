// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>

#include <tpx/core/math.hpp>
#include <tpx/kernel/attention_shape.hpp>
#include <tpx/kernel/group.hpp>

/// Attention for groups of any width, a group per row: what a device runs, and a host for one query. Scores of
/// a tile of the other side lie in scratch; lanes share out the tile first, then the head's dims.
namespace tpx::kernel::impl {

inline constexpr std::int64_t attention_group_tile = 128;

/// On a host in 16 running sums, which vectorise.
template <class T, class Group>
KOKKOS_FUNCTION T dot_product(const Group&, const T* a, const T* b, std::int64_t n) {
  constexpr int ways = std::is_same_v<Group, HostGroup> ? 16 : 1;
  T part[ways] = {};
  std::int64_t c = 0;
  for (; c + ways <= n; c += ways) {
    for (int w = 0; w < ways; ++w) part[w] += a[c + w] * b[c + w];
  }
  T sum = 0;
  for (; c < n; ++c) sum += a[c] * b[c];
  for (int w = 0; w < ways; ++w) sum += part[w];
  return sum;
}

/// sums[c] = factor sums[c] + sum over rows j of p[j] v[j stride + c], the columns shared out to the lanes.
template <class T, class Group>
KOKKOS_FUNCTION void add_weighted_rows(const Group& group, const T* p, const T* v, std::int64_t stride,
                                       std::int64_t rows, T factor, T* sums, std::int64_t columns) {
  if constexpr (std::is_same_v<Group, HostGroup>) {
    for (std::int64_t c = 0; c < columns; ++c) sums[c] *= factor;
    for (std::int64_t j = 0; j < rows; ++j) {
      for (std::int64_t c = 0; c < columns; ++c) sums[c] += p[j] * v[j * stride + c];
    }
  } else {
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) {
      T total = sums[c] * factor;
      for (std::int64_t j = 0; j < rows; ++j) total += p[j] * v[j * stride + c];
      sums[c] = total;
    }
  }
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
    const std::int64_t d = n.head_dim, stride = n.kv_heads * d, visible = n.visible(b, i);
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
        p[j] = dot_product(group, query, k + head + (j0 + j) * stride, d) * static_cast<T>(n.scale);
        raised = raised < p[j] ? p[j] : raised;
      }
      raised = group.max(raised);
      raised = raised < largest ? largest : raised;
      const T factor = largest == lowest ? T(0) : math::exp(largest - raised);
      for (std::int64_t j = group.lane(); j < keys; j += group.width()) p[j] = math::exp(p[j] - raised);
      sum = sum * factor + group_sum<T>(group, keys, [=](std::int64_t j) { return p[j]; });
      largest = raised;
      group.barrier();  // every lane reads the whole tile
      add_weighted_rows(group, p, v + head + j0 * stride, stride, keys, factor, sums, d);
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
    const std::int64_t d = n.head_dim, stride = n.kv_heads * d, visible = n.visible(b, i);
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
        const T p = math::exp(dot_product(group, q + at, k + key, d) * scale - lse[row]);
        ds[j] = p * (dot_product(group, d_o + at, v + key, d) - delta[row]) * scale;
      }
      group.barrier();
      add_weighted_rows(group, ds, k + head + j0 * stride, stride, keys, T(1), sums, d);
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
    const std::int64_t d = n.head_dim, stride = n.heads * d, last = n.last_reader(kv);
    const std::int64_t key = ((b * n.keys + j) * n.kv_heads + kv) * d;
    const std::int64_t seen_from = n.first_query(j) > 0 ? n.first_query(j) : 0;
    const std::int64_t first = j < n.length(b) ? seen_from : n.queries;
    const T scale = static_cast<T>(n.scale);
    T* p = group.template scratch<T>();
    T* ds = p + attention_group_tile;
    T* key_sums = ds + attention_group_tile;
    T* value_sums = key_sums + d;
    for (std::int64_t c = group.lane(); c < d; c += group.width()) key_sums[c] = value_sums[c] = 0;
    for (std::int64_t h = n.first_reader(kv); h < last; ++h) {
      const std::int64_t head = (b * n.queries * n.heads + h) * d, row = (b * n.heads + h) * n.queries;
      for (std::int64_t i0 = first; i0 < n.queries; i0 += attention_group_tile) {
        const std::int64_t rows = n.queries - i0 < attention_group_tile ? n.queries - i0 : attention_group_tile;
        for (std::int64_t i = group.lane(); i < rows; i += group.width()) {
          const std::int64_t query = head + (i0 + i) * stride;
          p[i] = math::exp(dot_product(group, q + query, k + key, d) * scale - lse[row + i0 + i]);
          ds[i] = p[i] * (dot_product(group, d_o + query, v + key, d) - delta[row + i0 + i]) * scale;
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
