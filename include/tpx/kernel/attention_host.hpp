// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>

#include <tpx/core/math.hpp>
#include <tpx/kernel/attention_shape.hpp>
#include <tpx/kernel/group.hpp>
#include <tpx/kernel/tile.hpp>

/// Attention on a host thread: tiles of 64 queries and 64 keys (fewer where the head is wide), products
/// of tiles in registers, scores that vectorise over the keys because the keys lie transposed in scratch.
namespace tpx::kernel::impl {

/// Hands out a host group's scratch in pieces, and counts them when there is none.
template <class T>
struct ScratchCursor {
  T* next;
  std::int64_t used = 0;
  T* take(std::int64_t elements) {
    T* piece = next == nullptr ? nullptr : next + used;
    used +=
        (elements * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64 / static_cast<std::int64_t>(sizeof(T));
    return piece;
  }
};

/// The largest tile up to 64 whose scratch fits a host thread's. What does not fit at 16 is refused by
/// for_groups.
template <template <class> class Tiles, class T>
std::int64_t attention_tile(std::int64_t head_dim) {
  std::int64_t tile = 64;
  while (tile > 16 && Tiles<T>::bytes(head_dim, tile) > host_scratch_limit) tile /= 2;
  return tile;
}

/// Rows of queries whose share of the keys is cut off together at the causal diagonal.
inline constexpr std::int64_t attention_strip = 16;

template <class T>
struct AttentionForwardTiles {
  T *keys, *values, *scores, *output, *largest, *sum;
  AttentionForwardTiles(T* scratch, std::int64_t d, std::int64_t tile)
      : AttentionForwardTiles(ScratchCursor<T>{scratch}, d, tile) {}
  static std::size_t bytes(std::int64_t d, std::int64_t tile) {
    ScratchCursor<T> cursor{nullptr};
    const AttentionForwardTiles tiles(cursor, d, tile);
    return static_cast<std::size_t>(tiles.elements) * sizeof(T);
  }

 private:
  std::int64_t elements;
  AttentionForwardTiles(ScratchCursor<T> cursor, std::int64_t d, std::int64_t tile)
      : keys(cursor.take(d * tile)),
        values(cursor.take(tile * round_to_lanes<T>(d))),
        scores(cursor.take(attention_strip * tile)),
        output(cursor.take(tile * round_to_lanes<T>(d))),
        largest(cursor.take(tile)),
        sum(cursor.take(tile)),
        elements(cursor.used) {}
};

/// One row of scores becomes exp(scale score - largest); returns their sum. Beyond `visible` they are 0.
/// The running maximum is raised first, and what was summed before must be scaled by `factor`.
template <class T>
inline T softmax_row(T* score, std::int64_t visible, std::int64_t padded, T scale, T& largest, T& factor) {
  constexpr int lanes = lanes_v<T>;
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  for (std::int64_t j = visible; j < padded; ++j) score[j] = lowest;
  T part[lanes];
  for (int w = 0; w < lanes; ++w) part[w] = lowest;
  for (std::int64_t j = 0; j < padded; j += lanes) {
    for (int w = 0; w < lanes; ++w) {
      // not score * scale where it is masked: a scale of 0 would make -infinity a NaN
      const T s = score[j + w] == lowest ? lowest : score[j + w] * scale;
      score[j + w] = s;
      part[w] = part[w] < s ? s : part[w];
    }
  }
  T raised = largest;
  for (int w = 0; w < lanes; ++w) raised = raised < part[w] ? part[w] : raised;
  factor = largest == lowest ? T(0) : math::exp(largest - raised);
  largest = raised;
  T total[lanes] = {};
  for (std::int64_t j = 0; j < padded; j += lanes) {
    for (int w = 0; w < lanes; ++w) {
      const T p = math::exp(score[j + w] - raised);
      score[j + w] = p;
      total[w] += p;
    }
  }
  T sum = 0;
  for (int w = 0; w < lanes; ++w) sum += total[w];
  return sum;
}

/// Forward: one index per (batch, head, tile of queries).
template <class T>
struct AttentionForwardHost {
  AttentionShape n;
  const T* q;
  const T* k;
  const T* v;
  T* o;
  T* lse;
  std::int64_t tile;

  void operator()(const HostGroup& group, std::int64_t index) const {
    const std::int64_t blocks = (n.queries + tile - 1) / tile;
    const std::int64_t i0 = index % blocks * tile, h = index / blocks % n.heads, b = index / blocks / n.heads;
    const std::int64_t d = n.head_dim, dp = round_to_lanes<T>(d), kv = n.kv_head_of(h);
    const std::int64_t rows = n.queries - i0 < tile ? n.queries - i0 : tile;
    const std::int64_t q_stride = n.heads * d, k_stride = n.kv_heads * d;
    const AttentionForwardTiles<T> s(group.scratch<T>(), d, tile);
    for (std::int64_t i = 0; i < rows * dp; ++i) s.output[i] = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      s.largest[i] = -std::numeric_limits<T>::infinity();
      s.sum[i] = 0;
    }
    const T* q_rows = q + ((b * n.queries + i0) * n.heads + h) * d;
    const std::int64_t last_key = n.visible(b, i0 + rows - 1);  // keys beyond are seen by no query of the tile
    for (std::int64_t j0 = 0; j0 < last_key; j0 += tile) {
      const std::int64_t keys = n.keys - j0 < tile ? n.keys - j0 : tile;
      const T* k_rows = k + ((b * n.keys + j0) * n.kv_heads + kv) * d;
      tile_pack_transposed(k_rows, k_stride, s.keys, tile, keys, d);
      tile_pack(v + ((b * n.keys + j0) * n.kv_heads + kv) * d, k_stride, s.values, dp, keys, d);
      for (std::int64_t r0 = 0; r0 < rows; r0 += attention_strip) {
        const std::int64_t strip = rows - r0 < attention_strip ? rows - r0 : attention_strip;
        const std::int64_t widest = n.visible(b, i0 + r0 + strip - 1) - j0;
        const std::int64_t seen = widest < keys ? widest : keys, padded = round_to_lanes<T>(seen);
        if (seen <= 0) continue;
        tile_multiply<T>({q_rows + r0 * q_stride, q_stride, 1}, s.keys, tile, s.scores, tile, strip, padded, d,
                         false);
        for (std::int64_t r = 0; r < strip; ++r) {
          T* out = s.output + (r0 + r) * dp;
          const std::int64_t limit = n.visible(b, i0 + r0 + r) - j0;
          const std::int64_t visible = limit < seen ? limit : seen;
          T* score = s.scores + r * tile;
          if (visible <= 0) {
            for (std::int64_t j = 0; j < padded; ++j) score[j] = 0;
            continue;
          }
          T factor;
          const T sum = softmax_row(score, visible, padded, static_cast<T>(n.scale), s.largest[r0 + r], factor);
          s.sum[r0 + r] = s.sum[r0 + r] * factor + sum;
          for (std::int64_t c = 0; c < dp; ++c) out[c] *= factor;
        }
        tile_multiply<T>({s.scores, tile, 1}, s.values, dp, s.output + r0 * dp, dp, strip, dp, seen, true);
      }
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const T inverse = s.sum[r] > T(0) ? T(1) / s.sum[r] : T(0);
      T* out = o + ((b * n.queries + i0 + r) * n.heads + h) * d;
      for (std::int64_t c = 0; c < d; ++c) out[c] = s.output[r * dp + c] * inverse;
      lse[(b * n.heads + h) * n.queries + i0 + r] = s.largest[r] + math::log(s.sum[r]);
    }
  }
};

template <class T>
struct AttentionBackwardTiles {
  T *keys_t, *values_t, *keys, *dk, *dv, *p, *ds, *queries, *d_o, *dq;
  AttentionBackwardTiles(T* scratch, std::int64_t d, std::int64_t tile)
      : AttentionBackwardTiles(ScratchCursor<T>{scratch}, d, tile) {}
  static std::size_t bytes(std::int64_t d, std::int64_t tile) {
    ScratchCursor<T> cursor{nullptr};
    const AttentionBackwardTiles tiles(cursor, d, tile);
    return static_cast<std::size_t>(tiles.elements) * sizeof(T);
  }

 private:
  std::int64_t elements;
  AttentionBackwardTiles(ScratchCursor<T> cursor, std::int64_t d, std::int64_t tile)
      : keys_t(cursor.take(d * tile)),
        values_t(cursor.take(d * tile)),
        keys(cursor.take(tile * round_to_lanes<T>(d))),
        dk(cursor.take(tile * round_to_lanes<T>(d))),
        dv(cursor.take(tile * round_to_lanes<T>(d))),
        p(cursor.take(tile * tile)),
        ds(cursor.take(tile * tile)),
        queries(cursor.take(tile * round_to_lanes<T>(d))),
        d_o(cursor.take(tile * round_to_lanes<T>(d))),
        dq(cursor.take(attention_strip * round_to_lanes<T>(d))),
        elements(cursor.used) {}
};

/// Backward: one index per (batch, key head), which owns its rows of dk and dv and, through its query
/// heads, of dq: no two threads write one element, and the order of summation is fixed.
template <class T>
struct AttentionBackwardHost {
  AttentionShape n;
  const T* q;
  const T* k;
  const T* v;
  const T* lse;
  const T* d_o;
  const T* delta;
  T* dq;
  T* dk;
  T* dv;
  std::int64_t tile;

  void operator()(const HostGroup& group, std::int64_t index) const {
    const std::int64_t kv = index % n.kv_heads, b = index / n.kv_heads, last_head = n.last_reader(kv);
    const std::int64_t d = n.head_dim, dp = round_to_lanes<T>(d), stride = n.kv_heads * d;
    const AttentionBackwardTiles<T> s(group.scratch<T>(), d, tile);
    for (std::int64_t j0 = 0; j0 < n.keys; j0 += tile) {
      const std::int64_t keys = n.keys - j0 < tile ? n.keys - j0 : tile;
      const std::int64_t rows = ((b * n.keys + j0) * n.kv_heads + kv) * d;
      tile_pack_transposed(k + rows, stride, s.keys_t, tile, keys, d);
      tile_pack_transposed(v + rows, stride, s.values_t, tile, keys, d);
      tile_pack(k + rows, stride, s.keys, dp, keys, d);
      for (std::int64_t i = 0; i < keys * dp; ++i) s.dk[i] = s.dv[i] = 0;
      for (std::int64_t h = n.first_reader(kv); h < last_head; ++h) {
        for (std::int64_t i0 = 0; i0 < n.queries; i0 += tile) {
          // The first tile of keys visits every query, for it sets dq.
          const std::int64_t last = i0 + tile < n.queries ? i0 + tile : n.queries;
          if (j0 == 0 || n.visible(b, last - 1) > j0) queries_and_keys(s, b, h, i0, j0, keys);
        }
      }
      for (std::int64_t j = 0; j < keys; ++j) {
        for (std::int64_t c = 0; c < d; ++c) {
          dk[rows + j * stride + c] = s.dk[j * dp + c];
          dv[rows + j * stride + c] = s.dv[j * dp + c];
        }
      }
    }
  }

  /// What one tile of queries adds to dq, and to dk and dv of one tile of keys.
  void queries_and_keys(const AttentionBackwardTiles<T>& s, std::int64_t b, std::int64_t h, std::int64_t i0,
                        std::int64_t j0, std::int64_t keys) const {
    const std::int64_t d = n.head_dim, dp = round_to_lanes<T>(d), stride = n.heads * d;
    const std::int64_t rows = n.queries - i0 < tile ? n.queries - i0 : tile;
    const std::int64_t at = ((b * n.queries + i0) * n.heads + h) * d,
                       row_at = (b * n.heads + h) * n.queries + i0;
    tile_pack(q + at, stride, s.queries, dp, rows, d);
    tile_pack(d_o + at, stride, s.d_o, dp, rows, d);
    for (std::int64_t r0 = 0; r0 < rows; r0 += attention_strip) {
      const std::int64_t strip = rows - r0 < attention_strip ? rows - r0 : attention_strip;
      const std::int64_t widest = n.visible(b, i0 + r0 + strip - 1) - j0;
      const std::int64_t clipped = widest < keys ? widest : keys, seen = clipped > 0 ? clipped : 0;
      const std::int64_t padded = round_to_lanes<T>(seen);
      T *p = s.p + r0 * tile, *ds = s.ds + r0 * tile;
      tile_multiply<T>({s.queries + r0 * dp, dp, 1}, s.keys_t, tile, p, tile, strip, padded, d, false);
      tile_multiply<T>({s.d_o + r0 * dp, dp, 1}, s.values_t, tile, ds, tile, strip, padded, d, false);
      for (std::int64_t r = 0; r < strip; ++r) {
        const std::int64_t limit = n.visible(b, i0 + r0 + r) - j0;
        gradient_row(p + r * tile, ds + r * tile, limit < seen ? limit : seen, padded, lse[row_at + r0 + r],
                     delta[row_at + r0 + r]);
      }
      tile_multiply<T>({ds, tile, 1}, s.keys, dp, s.dq, dp, strip, dp, seen, false);
      for (std::int64_t r = 0; r < strip; ++r) {
        T* out = dq + at + (r0 + r) * stride;
        const T* add = s.dq + r * dp;
        if (j0 == 0) {
          for (std::int64_t c = 0; c < d; ++c) out[c] = add[c];
        } else {
          for (std::int64_t c = 0; c < d; ++c) out[c] += add[c];
        }
      }
    }
    for (std::int64_t c0 = 0; c0 < keys; c0 += attention_strip) {
      const std::int64_t strip = keys - c0 < attention_strip ? keys - c0 : attention_strip;
      const std::int64_t first = n.first_query(j0 + c0) - i0, r0 = first > 0 ? first : 0;
      if (r0 >= rows) continue;
      tile_multiply<T>({s.p + r0 * tile + c0, 1, tile}, s.d_o + r0 * dp, dp, s.dv + c0 * dp, dp, strip, dp,
                       rows - r0, true);
      tile_multiply<T>({s.ds + r0 * tile + c0, 1, tile}, s.queries + r0 * dp, dp, s.dk + c0 * dp, dp, strip, dp,
                       rows - r0, true);
    }
  }

  /// Scores become probabilities, and their gradients those of the scores; 0 where the query does not see.
  void gradient_row(T* p, T* ds, std::int64_t visible, std::int64_t padded, T row_lse, T row_delta) const {
    const T scale = static_cast<T>(n.scale);
    for (std::int64_t j = 0; j < visible; ++j) {
      const T probability = math::exp(p[j] * scale - row_lse);
      p[j] = probability;
      ds[j] = probability * (ds[j] - row_delta) * scale;
    }
    const std::int64_t from = visible > 0 ? visible : 0, to = padded < tile ? tile : padded;
    for (std::int64_t j = from; j < to; ++j) p[j] = ds[j] = 0;
  }
};

}  // namespace tpx::kernel::impl
