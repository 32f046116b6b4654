// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tpx/ops/attention.hpp>
#include <tpx/ops/decode.hpp>
#include <tpx/tensor/host_copy.hpp>

namespace tpx {

/// Attention over heads as a plan splits them: where the key heads are not split, each rank has all of them.
template <bool Shared, class Q, class K, class V, class... Lengths>
auto attend_heads(const Q& q, const K& k, const V& v, Mask mask, const Lengths&... lengths) {
  if constexpr (Shared) {
    return shared_attention(q, k, v, mask, lengths...);
  } else {
    return attention(q, k, v, mask, lengths...);
  }
}

/// What queries look at in training: the keys and values of the same positions, and of those before.
struct CausalKeys {
  template <bool Shared, class Q, class K, class V>
  auto attend(std::size_t, const Q& q, const K& k, const V& v) const {
    return attend_heads<Shared>(q, k, v, Mask::causal);
  }
};

/// The keys and values of the positions so far, for each layer, split over the heads as they are computed.
///
///   keys, values  [b@dp,capacity,g@tp,d]     filled  i32 [b@dp]: how many positions of each sample are there
template <class T, class Mesh, class BatchLayout = layout_t<>>
class KvCache {
 public:
  using Lengths = DTensor<std::int32_t, 1, BatchLayout, Mesh>;

  /// The memory is taken with the first positions.
  KvCache(const Mesh& mesh, std::int64_t layers, std::int64_t batch, std::int64_t capacity)
      : capacity_(capacity),
        keys_(static_cast<std::size_t>(layers)),
        values_(static_cast<std::size_t>(layers)),
        filled_(detail::make_tensor<std::int32_t, 1, BatchLayout>(mesh, {batch})),
        seen_(detail::make_tensor<std::int32_t, 1, BatchLayout>(mesh, {batch})) {
    fill(std::vector<std::int32_t>(static_cast<std::size_t>(batch), 0), 0);
  }

  std::int64_t capacity() const { return capacity_; }
  const Lengths& filled() const { return filled_; }

  /// Each sample has so many positions, and is to get `more`.
  /// @param filled  of the samples that this rank has
  void fill(const std::vector<std::int32_t>& filled, std::int32_t more) {
    if constexpr (Mesh::context_type::has_memory) {
      host_ = filled;
      detail::copy_from_host(filled_.mesh(), host_.data(), filled_.data(), filled_.local_count());
      for (std::int32_t& n : host_) n += more;
      detail::copy_from_host(seen_.mesh(), host_.data(), seen_.data(), seen_.local_count());
    }
  }

  /// The first positions of all samples: they see each other, and are kept.
  template <bool Shared, class Q, class K, class V>
  auto attend_first(std::size_t layer, const Q& q, const K& k, const V& v) {
    store_positions(cached<K>(keys_[layer], k), k, filled_);
    store_positions(cached<V>(values_[layer], v), v, filled_);
    return attend_heads<Shared>(q, k, v, Mask::causal);
  }
  /// One more position of each sample: it is kept, and sees all that are.
  template <bool Shared, class Q, class K, class V>
  auto attend_next(std::size_t layer, const Q& q, const K& k, const V& v) {
    const auto keys = cached<K>(keys_[layer], k);
    const auto values = cached<V>(values_[layer], v);
    store_positions(keys, k, filled_);
    store_positions(values, v, filled_);
    return attend_heads<Shared>(q, keys, values, Mask::none, seen_);
  }

 private:
  /// A layer's memory as a tensor with the layout of what is kept there.
  template <class K>
  auto cached(Buffer& memory, const K& k) const {
    Shape shape = k.shape();
    shape[1] = capacity_;
    using L = typename K::layout_type;
    if (!memory) memory = detail::allocate_shard<T, L>(k.mesh(), shape);
    return DTensor<T, K::ndim, L, Mesh>(k.mesh(), shape, memory);
  }

  std::int64_t capacity_;
  std::vector<Buffer> keys_, values_;
  Lengths filled_, seen_;
  std::vector<std::int32_t> host_;
};

/// The prompt: positions from 0 on.
template <class Cache>
struct FirstKeys {
  Cache& cache;
  template <bool Shared, class Q, class K, class V>
  auto attend(std::size_t layer, const Q& q, const K& k, const V& v) const {
    return cache.template attend_first<Shared>(layer, q, k, v);
  }
};

/// One position more.
template <class Cache>
struct NextKeys {
  Cache& cache;
  template <bool Shared, class Q, class K, class V>
  auto attend(std::size_t layer, const Q& q, const K& k, const V& v) const {
    return cache.template attend_next<Shared>(layer, q, k, v);
  }
};

}  // namespace tpx
