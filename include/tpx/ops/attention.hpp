// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include <tpx/kernel/attention.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace ops {

/// Lengths, where given, is a fourth operand, of no gradient.
template <bool Lengths = false>
struct attention {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule =
      Lengths ? op_rule("b s h d, b t h d, b t h d, b -> b s h d", Linearity::nonlinear, {4, 4, 4, 1}, "s t d",
                        0b1000)
              : op_rule("b s h d, b t h d, b t h d -> b s h d", Linearity::nonlinear, {4, 4, 4}, "s t d");
};
/// Each key head g is read by r query heads.
template <bool Lengths = false>
struct grouped_attention {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule =
      Lengths ? op_rule("b s g r d, b t g d, b t g d, b -> b s g r d", Linearity::nonlinear, {5, 4, 4, 1},
                        "s t r d", 0b1000)
              : op_rule("b s g r d, b t g d, b t g d -> b s g r d", Linearity::nonlinear, {5, 4, 4}, "s t r d");
};
/// All key heads are on every rank.
template <bool Lengths = false>
struct shared_attention {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule =
      Lengths ? op_rule("b s h d, b t g d, b t g d, b -> b s h d", Linearity::nonlinear, {4, 4, 4, 1},
                        "s t g d", 0b1000)
              : op_rule("b s h d, b t g d, b t g d -> b s h d", Linearity::nonlinear, {4, 4, 4}, "s t g d");
};

}  // namespace ops

/// Which keys a query sees.
enum class Mask : bool { none, causal };

namespace detail {

/// Keeps the numbers of a shape in a record.
template <class Mesh>
void save_shape(Record<Mesh>& r, const kernel::AttentionShape& n) {
  const std::int64_t numbers[] = {n.batch,    n.queries,  n.keys,    n.heads,
                                  n.kv_heads, n.head_dim, n.sharing, n.first_head};
  std::copy(std::begin(numbers), std::end(numbers), r.extent);
  r.scalar[0] = n.scale;
  r.scalar[1] = n.causal ? 1 : 0;
}
template <class Mesh>
kernel::AttentionShape saved_shape(const Record<Mesh>& r) {
  const std::int64_t* e = r.extent;
  return {e[0], e[1], e[2], e[3], e[4], e[5], r.scalar[1] != 0, r.scalar[0], nullptr, e[6], e[7]};
}

/// Products of a query and a key that are computed.
inline std::int64_t attention_pairs(const kernel::AttentionShape& n) {
  return n.batch * n.heads * n.queries * n.keys * n.head_dim / (n.causal ? 2 : 1);
}

/// Saved q, k, v, o, log-sum-exp, lengths.
template <class T, class Mesh>
void attention_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::attn_bwd");
  kernel::AttentionShape n = saved_shape(r);
  n.lengths = r.saved[5].template as<std::int32_t>();
  const std::int64_t queries = n.batch * n.queries * n.heads * n.head_dim;
  const std::int64_t keys = n.batch * n.keys * n.kv_heads * n.head_dim;
  const Mesh& mesh = tape.mesh();
  const Buffer delta = allocate<T>(mesh, n.batch * n.heads * n.queries);
  Buffer dq = allocate<T>(mesh, queries), dk = allocate<T>(mesh, keys), dv = allocate<T>(mesh, keys);
  const auto saved = [&](int i) { return static_cast<const T*>(r.saved[i].template as<T>()); };
  const T* d_o = tape.template gradient_of<T>(r.out);
  mesh.context().launch({10 * attention_pairs(n), 8 * (queries + keys) * std::int64_t{sizeof(T)}},
                        [&](const auto& exec) {
                          kernel::attention_backward(exec, n, saved(0), saved(1), saved(2), saved(3), saved(4),
                                                     d_o, delta.as<T>(), dq.as<T>(), dk.as<T>(), dv.as<T>());
                        });
  tape.template give<T>(r.in[0], std::move(dq));
  tape.template give<T>(r.in[1], std::move(dk));
  tape.template give<T>(r.in[2], std::move(dv));
}

/// Any of the ops, whose shape is n but for what they have in common.
template <class Op, class Q, class K, class V, class... Lengths>
auto attend(const Q& q, const K& k, const V& v, Mask mask, kernel::AttentionShape n,
            const Lengths&... lengths) {
  if constexpr (!admits<Op, over<>, Q, K, V, Lengths...>()) {
    return refused{};
  } else {
    using T = typename Q::element_type;
    const Region region("tpx::attention");
    TPX_EXPECTS(k.shape() == v.shape() && q.extent(0) == k.extent(0) && q.extent(Q::ndim - 1) == k.extent(3),
                q.describe(), k.describe(), v.describe());
    for (const std::int64_t given : {q.extent(0), lengths.extent(0)...})
      TPX_EXPECTS(given == q.extent(0), given, q.describe(), "each of the batch has a length");
    const Shape qs = q.local_shape(), ks = k.local_shape();
    n.batch = qs[0];
    n.queries = qs[1];
    n.keys = ks[1];
    n.heads = qs.count(2, Q::ndim - 1);
    n.kv_heads = ks[2];
    n.head_dim = ks[3];
    n.causal = mask == Mask::causal;
    n.scale = 1.0 / std::sqrt(static_cast<double>(k.extent(3)));
    ((n.lengths = lengths.data()), ...);
    auto o = make_result<Op, T, Q::ndim, over<>>(q.shape(), q, k, v, lengths...);
    Buffer lse = allocate<T>(q.mesh(), n.batch * n.heads * n.queries);
    q.mesh().context().launch(
        {4 * attention_pairs(n), 2 * (q.local_count() + k.local_count()) * std::int64_t{sizeof(T)}},
        [&](const auto& exec) {
          kernel::attention(exec, n, static_cast<const T*>(q.data()), static_cast<const T*>(k.data()),
                            static_cast<const T*>(v.data()), o.data(), lse.as<T>());
        });
    const Buffer result = o.shard();
    return record(
        std::move(o), &attention_backward<T, typename Q::mesh_type>,
        [&](auto& r) {
          r.saved[0] = q.shard();
          r.saved[1] = k.shard();
          r.saved[2] = v.shard();
          r.saved[3] = result;
          r.saved[4] = lse;
          ((r.saved[5] = lengths.shard()), ...);
          save_shape(r, n);
        },
        q, k, v, lengths...);
  }
}

template <class Q, class K, class V, class... Lengths>
constexpr bool are_attention_operands() {
  constexpr bool dims = (Q::ndim == 4 || Q::ndim == 5) && K::ndim == 4 && V::ndim == 4;
  static_assert(
      dims,
      "tpx::attention: q is [batch, positions, heads, head_dim], its heads perhaps factored as [key heads, "
      "query heads of each], k and v are [batch, positions, key heads, head_dim]");
  constexpr bool lengths = sizeof...(Lengths) <= 1 && ((Lengths::ndim == 1) && ...) &&
                           (std::is_same_v<typename Lengths::element_type, std::int32_t> && ...);
  static_assert(!dims || lengths, "tpx::attention: lengths are std::int32_t [batch]");
  return dims && lengths;
}

}  // namespace detail

/// Multi-head attention, blocked with an online softmax: no S x S matrix exists.
///
///   o[b,s,h,:] = sum over t of softmax_t(q[b,s,h,:] . k[b,t,h,:] / sqrt(d)) v[b,t,h,:]
///
///   q  [b@dp,s,h@tp,d]      k, v  [b@dp,t,h@tp,d]    o  [b@dp,s,h@tp,d]
///   q  [b@dp,s,g@tp,r,d]    k, v  [b@dp,t,g@tp,d]    o  [b@dp,s,g@tp,r,d]    r query heads read each key head
///
/// With Mask::causal the last query sees every key, the one before it one key less, and so on. Where lengths
/// are given, i32 [b@dp], the keys from lengths[b] on are padding, which no query sees.
///
/// @pre    positions and head dims are whole on every rank; heads and batch may be split
/// @post   a query that sees no key gives 0
/// @comm   none, forward or backward
/// @throws tpx::Error naming the operands where the extents differ
/// @see    arXiv:1706.03762, arXiv:2205.14135, arXiv:2305.13245
template <Tensor Q, Tensor K, Tensor V, Tensor... Lengths>
auto attention(const Q& q, const K& k, const V& v, Mask mask, const Lengths&... lengths) {
  constexpr bool padded = sizeof...(Lengths) > 0;
  using Op = std::conditional_t<Q::ndim == 4, ops::attention<padded>, ops::grouped_attention<padded>>;
  if constexpr (!detail::are_attention_operands<Q, K, V, Lengths...>()) {
    return refused{};
  } else {
    TPX_EXPECTS(q.extent(2) == k.extent(2), q.describe(), k.describe());
    return detail::attend<Op>(q, k, v, mask, {}, lengths...);
  }
}

/// Attention in which every rank has all key heads, and its query heads read those that are theirs: for more
/// ranks than key heads.
///
///   o[b,s,h,:] = sum over t of softmax_t(q[b,s,h,:] . k[b,t,g,:] / sqrt(d)) v[b,t,g,:],   g = h / (heads / key
///   heads)
///
///   q  [b@dp,s,h@tp,d]    k, v  [b@dp,t,g,d]{R:tp}    o  [b@dp,s,h@tp,d]
///
/// @pre    the heads are a multiple of the key heads; otherwise as attention()
/// @comm   none, forward or backward: the gradients of k and v are terms
/// @throws tpx::Error naming the operands where the extents differ
template <Tensor Q, Tensor K, Tensor V, Tensor... Lengths>
auto shared_attention(const Q& q, const K& k, const V& v, Mask mask, const Lengths&... lengths) {
  constexpr bool operands = detail::are_attention_operands<Q, K, V, Lengths...>();
  constexpr bool heads = !operands || Q::ndim == 4;
  static_assert(heads, "tpx::shared_attention: q is [batch, positions, heads, head_dim]");
  if constexpr (!operands || !heads) {
    return refused{};
  } else {
    TPX_EXPECTS(k.extent(2) >= 1 && q.extent(2) % k.extent(2) == 0, q.describe(), k.describe());
    kernel::AttentionShape n;
    n.sharing = q.extent(2) / k.extent(2);
    n.first_head = q.distribution().piece(2).offset;
    return detail::attend<ops::shared_attention<(sizeof...(Lengths) > 0)>>(q, k, v, mask, n, lengths...);
  }
}

template <class K, class V, class... Lengths>
refused attention(refused, const K&, const V&, Mask, const Lengths&...) {
  return {};
}
template <Tensor Q, class V, class... Lengths>
refused attention(const Q&, refused, const V&, Mask, const Lengths&...) {
  return {};
}
template <Tensor Q, Tensor K, class... Lengths>
refused attention(const Q&, const K&, refused, Mask, const Lengths&...) {
  return {};
}
template <class K, class V, class... Lengths>
refused shared_attention(refused, const K&, const V&, Mask, const Lengths&...) {
  return {};
}
template <Tensor Q, class V, class... Lengths>
refused shared_attention(const Q&, refused, const V&, Mask, const Lengths&...) {
  return {};
}
template <Tensor Q, Tensor K, class... Lengths>
refused shared_attention(const Q&, const K&, refused, Mask, const Lengths&...) {
  return {};
}

}  // namespace tpx
