// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstring>

#include <tpx/kernel/attention.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace ops {

struct attention {
  static constexpr OpRule rule =
      op_rule("b s h d, b t h d, b t h d -> b s h d", Linearity::nonlinear, {4, 4, 4}, "s t d");
};

}  // namespace ops

namespace detail {

/// Local extents as a record keeps them: batch, queries, keys, heads, kv heads, head dim, causal.
inline kernel::AttentionShape attention_shape(const std::int64_t* extent, double scale) {
  kernel::AttentionShape n;
  n.batch = extent[0];
  n.queries = extent[1];
  n.keys = extent[2];
  n.heads = extent[3];
  n.kv_heads = extent[4];
  n.head_dim = extent[5];
  n.causal = extent[6] != 0;
  n.scale = scale;
  return n;
}

/// Saved q, k, v, o, log-sum-exp.
template <class T, class Mesh>
void attention_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::attn_bwd");
  const kernel::AttentionShape n = attention_shape(r.extent, r.scalar[0]);
  const std::int64_t queries = n.batch * n.queries * n.heads * n.head_dim;
  const std::int64_t keys = n.batch * n.keys * n.kv_heads * n.head_dim;
  const Mesh& mesh = tape.mesh();
  const Buffer delta = allocate<T>(mesh, n.batch * n.heads * n.queries);
  Buffer dq = allocate<T>(mesh, queries), dk = allocate<T>(mesh, keys), dv = allocate<T>(mesh, keys);
  const auto saved = [&](int i) { return static_cast<const T*>(r.saved[i].template as<T>()); };
  const T* d_o = tape.template gradient_of<T>(r.out);
  const std::int64_t pairs = n.batch * n.heads * n.queries * n.keys * n.head_dim / (n.causal ? 2 : 1);
  mesh.context().launch({10 * pairs, 8 * (queries + keys) * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::attention_backward(exec, n, saved(0), saved(1), saved(2), saved(3), saved(4), d_o, delta.as<T>(),
                               dq.as<T>(), dk.as<T>(), dv.as<T>());
  });
  tape.template give<T>(r.in[0], std::move(dq));
  tape.template give<T>(r.in[1], std::move(dk));
  tape.template give<T>(r.in[2], std::move(dv));
}

}  // namespace detail

/// Which keys a query sees.
enum class Mask : bool { none, causal };

/// Multi-head attention, blocked with an online softmax: no S x S matrix exists.
///
///   o[b,s,h,:] = sum over t of softmax_t(q[b,s,h,:] . k[b,t,h,:] / sqrt(d)) v[b,t,h,:]
///
///   q  [b@dp,s,h@tp,d]    k, v  [b@dp,t,h@tp,d]    o  [b@dp,s,h@tp,d]
///
/// With Mask::causal the last query sees every key, the one before it one key less, and so on.
///
/// @pre    positions and head dims are whole on every rank; heads and batch may be split
/// @comm   none, forward or backward
/// @throws tpx::Error naming the operands where the extents differ
/// @see    arXiv:1706.03762, arXiv:2205.14135
template <Tensor Q, Tensor K, Tensor V>
auto attention(const Q& q, const K& k, const V& v, Mask mask) {
  static_assert(Q::ndim == 4 && K::ndim == 4 && V::ndim == 4,
                "tpx::attention: q, k and v are [batch, positions, heads, head_dim]");
  using Op = ops::attention;
  if constexpr (!detail::admits<Op, over<>, Q, K, V>()) {
    return refused{};
  } else {
    using T = typename Q::element_type;
    const detail::Region region("tpx::attention");
    TPX_EXPECTS(k.shape() == v.shape() && q.extent(0) == k.extent(0) && q.extent(2) == k.extent(2) &&
                    q.extent(3) == k.extent(3),
                q.describe(), k.describe(), v.describe());
    const Shape qs = q.local_shape(), ks = k.local_shape();
    const std::int64_t extent[8] = {qs[0], qs[1], ks[1], qs[2], ks[2], qs[3], mask == Mask::causal ? 1 : 0, 0};
    const kernel::AttentionShape n =
        detail::attention_shape(extent, 1.0 / std::sqrt(static_cast<double>(q.extent(3))));
    auto o = detail::make_result<Op, T, 4, over<>>(q.shape(), q, k, v);
    Buffer lse = detail::allocate<T>(q.mesh(), n.batch * n.heads * n.queries);
    const std::int64_t pairs = n.batch * n.heads * n.queries * n.keys * n.head_dim / (n.causal ? 2 : 1);
    q.mesh().context().launch(
        {4 * pairs, 2 * (q.local_count() + k.local_count()) * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
          kernel::attention(exec, n, static_cast<const T*>(q.data()), static_cast<const T*>(k.data()),
                            static_cast<const T*>(v.data()), o.data(), lse.as<T>());
        });
    const Buffer result = o.shard();
    return detail::record(
        std::move(o), &detail::attention_backward<T, typename Q::mesh_type>,
        [&](auto& r) {
          r.saved[0] = q.shard();
          r.saved[1] = k.shard();
          r.saved[2] = v.shard();
          r.saved[3] = result;
          r.saved[4] = lse;
          std::memcpy(r.extent, extent, sizeof(extent));
          r.scalar[0] = n.scale;
        },
        q, k, v);
  }
}

template <class K, class V>
refused attention(refused, const K&, const V&, Mask) {
  return {};
}
template <Tensor Q, class V>
refused attention(const Q&, refused, const V&, Mask) {
  return {};
}
template <Tensor Q, Tensor K>
refused attention(const Q&, const K&, refused, Mask) {
  return {};
}

}  // namespace tpx
