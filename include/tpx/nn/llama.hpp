// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <tpx/nn/kv_cache.hpp>
#include <tpx/nn/projection.hpp>
#include <tpx/nn/rms_norm.hpp>
#include <tpx/nn/token_loss.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/rotary.hpp>

namespace tpx {

/// The extents of a model of the Llama family: Llama, Mistral, SmolLM2, and Qwen2, whose attention has biases.
struct LlamaConfig {
  std::int64_t vocabulary = 0;
  std::int64_t context = 0;  ///< positions
  std::int64_t layers = 0;
  std::int64_t hidden = 0;    ///< features of an activation
  std::int64_t heads = 0;     ///< of queries
  std::int64_t kv_heads = 0;  ///< of keys and values, each read by heads / kv_heads query heads
  std::int64_t head_dim = 0;
  std::int64_t ffn = 0;  ///< features inside the MLP
  double epsilon = 1e-5;
  double rope_base = 10000;
  bool attention_bias = false;  ///< queries, keys and values have biases
  bool tied = false;            ///< the output layer has the tokens' table as its weight
};

/// Throws tpx::Error, the same on every rank, where the extents do not fit each other or the ranks of the axis.
/// @param shared_keys  whether each rank has all key heads
inline void check(const LlamaConfig& c, std::int64_t ranks, bool shared_keys) {
  const auto rule = [](bool fits, const std::string& sentence) {
    if (!fits) fail("tpx::Llama: " + sentence);
  };
  const auto text = [](std::int64_t n) { return std::to_string(n); };
  rule(c.vocabulary >= 1 && c.context >= 1 && c.layers >= 1 && c.hidden >= 1 && c.kv_heads >= 1 &&
           c.head_dim >= 1 && c.ffn >= 1,
       "vocabulary, context, layers, hidden, kv_heads, head_dim and ffn are at least 1");
  rule(c.heads >= 1 && c.heads % c.kv_heads == 0,
       "heads are a multiple of kv_heads; heads = " + text(c.heads) + ", kv_heads = " + text(c.kv_heads));
  rule(c.head_dim % 2 == 0, "rotary positions turn pairs of features; head_dim = " + text(c.head_dim));
  rule(c.heads >= ranks,
       "each rank of the tensor axis has a query head; heads = " + text(c.heads) + ", ranks = " + text(ranks));
  rule(shared_keys || c.kv_heads >= ranks,
       "each rank of the tensor axis has a key head, unless the plan is SharedKeys<...>; kv_heads = " +
           text(c.kv_heads) + ", ranks = " + text(ranks));
}

/// Causal self-attention with rotary positions and grouped queries.
///
///   q = rotary(x Wq)   k = rotary(x Wk)   v = x Wv        y = softmax(q k^T / sqrt(d)) v Wo
///
///   x  [b,s,h]    q  [b,s,g@tp,r,d]    k, v  [b,s,g@tp,d]             g key heads, r query heads of each
///                 q  [b,s,heads@tp,d]  k, v  [b,s,g,d]{R:tp}          where the plan shares the keys
template <class T, class Mesh, class Plan>
class LlamaAttention {
 public:
  static constexpr bool shared_keys = std::is_same_v<typename Plan::key, Whole>;

  template <class Weights>
  LlamaAttention(const Mesh& mesh, const Weights& weights, const std::string& name, const LlamaConfig& c)
      : query_(mesh, weights, name + ".q_proj", {c.hidden}, query_factors(c), c.attention_bias),
        key_(mesh, weights, name + ".k_proj", {c.hidden}, {c.kv_heads, c.head_dim}, c.attention_bias),
        value_(mesh, weights, name + ".v_proj", {c.hidden}, {c.kv_heads, c.head_dim}, c.attention_bias),
        output_(mesh, weights, name + ".o_proj", query_factors(c), {c.hidden}, false) {}

  /// @param  residual  none, or one that is added to the result
  template <class X, class Positions, class Table, class Keys, class... Residual>
  auto operator()(const X& x, const Positions& position, const Table& table, std::size_t layer, Keys& keys,
                  const Residual&... residual) const {
    const auto r = redistribute<Entering>(x);  // once for three uses
    const auto q = rotary(query_(r), position, table);
    const auto k = rotary(key_(r), position, table);
    return output_(keys.template attend<shared_keys>(layer, q, k, value_(r)), residual...);
  }

  template <class F>
  void visit(F&& f) {
    query_.visit(f);
    key_.visit(f);
    value_.visit(f);
    output_.visit(f);
  }

 private:
  static constexpr int query_dims = shared_keys ? 2 : 3;
  static Shape query_factors(const LlamaConfig& c) {
    if (shared_keys) return {c.heads, c.head_dim};
    return {c.kv_heads, c.heads / c.kv_heads, c.head_dim};
  }

  using Entering =
      detail::entering_whole_t<Plan, typename Plan::query, typename Plan::key, typename Plan::value>;
  Projection<T, Mesh, Plan, typename Plan::query, 1, query_dims, Entering> query_;
  Projection<T, Mesh, Plan, typename Plan::key, 1, 2, Entering> key_;
  Projection<T, Mesh, Plan, typename Plan::value, 1, 2, Entering> value_;
  Projection<T, Mesh, Plan, typename Plan::attention_output, query_dims, 1, Entering, typename Plan::stream>
      output_;
};

/// SwiGLU.
///
///   y = (silu(x Wgate) * x Wup) Wdown        x, y  [b,s,h]     x Wgate, x Wup  [b,s,f@tp]
/// @see arXiv:2002.05202
template <class T, class Mesh, class Plan>
class LlamaMlp {
 public:
  template <class Weights>
  LlamaMlp(const Mesh& mesh, const Weights& weights, const std::string& name, const LlamaConfig& c)
      : gate_(mesh, weights, name + ".gate_proj", {c.hidden}, {c.ffn}, false),
        up_(mesh, weights, name + ".up_proj", {c.hidden}, {c.ffn}, false),
        down_(mesh, weights, name + ".down_proj", {c.ffn}, {c.hidden}, false) {}

  /// @param  residual  none, or one that is added to the result
  template <class X, class... Residual>
  auto operator()(const X& x, const Residual&... residual) const {
    const auto r = redistribute<Entering>(x);
    return down_(multiply(silu(gate_(r)), up_(r)), residual...);
  }

  template <class F>
  void visit(F&& f) {
    gate_.visit(f);
    up_.visit(f);
    down_.visit(f);
  }

 private:
  using Entering = detail::entering_t<Plan, typename Plan::gate, typename Plan::up>;
  Projection<T, Mesh, Plan, typename Plan::gate, 1, 1, Entering> gate_;
  Projection<T, Mesh, Plan, typename Plan::up, 1, 1, Entering> up_;
  Projection<T, Mesh, Plan, typename Plan::down, 1, 1, Entering, typename Plan::stream> down_;
};

/// One block.
///
///   x = x + attention(norm(x)),   y = x + mlp(norm(x))          x, y  [b,s,h] as the plan's stream
///
/// @comm   forward with TensorParallel: two all_reduces of (b, s, h); with SequenceParallel: two all_gathers
///         and two reduce_scatters of as many.  backward: the same
template <class T, class Mesh, class Plan>
class LlamaBlock {
 public:
  template <class Weights>
  LlamaBlock(const Mesh& mesh, const Weights& weights, const std::string& name, const LlamaConfig& c)
      : norm1_(mesh, weights, name + ".input_layernorm", c.hidden, c.epsilon),
        attention_(mesh, weights, name + ".self_attn", c),
        norm2_(mesh, weights, name + ".post_attention_layernorm", c.hidden, c.epsilon),
        mlp_(mesh, weights, name + ".mlp", c) {}

  template <class X, class Positions, class Table, class Keys>
  auto operator()(const X& x, const Positions& position, const Table& table, std::size_t layer,
                  Keys& keys) const {
    const auto a = attention_(norm1_(x), position, table, layer, keys, x);
    return mlp_(norm2_(a), a);
  }

  template <class F>
  void visit(F&& f) {
    norm1_.visit(f);
    attention_.visit(f);
    norm2_.visit(f);
    mlp_.visit(f);
  }

 private:
  using beside = detail::beside_t<Plan, typename Plan::stream>;
  RmsNorm<T, Mesh, beside> norm1_;
  LlamaAttention<T, Mesh, Plan> attention_;
  RmsNorm<T, Mesh, beside> norm2_;
  LlamaMlp<T, Mesh, Plan> mlp_;
};

/// A decoder-only transformer of the Llama family, split as Plan says.
///
///   ids  i32 [b@dp,s]     hidden  [b@dp,s,h]     logits  [b@dp,s,v@tp]     loss  []{P:dp}
///
/// Parameters have the names of Hugging Face's files, and are Replicate on the mesh's data axes.
///
/// @comm   forward with TensorParallel: one all_reduce of (b, s, h) for the embedding, two for each block; the
///         loss all_reduces (b, s) and 2 (b, s).  backward: two for each block, one for the output layer
/// @see    arXiv:2302.13971, arXiv:2307.09288
template <class T, class Mesh, class Plan>
class Llama {
 public:
  using element_type = T;
  using mesh_type = Mesh;
  using plan_type = Plan;
  using config_type = LlamaConfig;

  /// @throws tpx::Error, on every rank, where the extents do not fit each other, the mesh or the weights
  template <class Weights>
  Llama(const Mesh& mesh, const LlamaConfig& c, const Weights& weights)
      : config_((check(c, mesh.template size<axis>(), LlamaAttention<T, Mesh, Plan>::shared_keys), c)),
        mesh_(mesh),
        rotary_(mesh, c.context, c.head_dim, c.rope_base),
        tokens_(mesh, weights, "model.embed_tokens", c.vocabulary, c.hidden),
        norm_(mesh, weights, "model.norm", c.hidden, c.epsilon) {
    blocks_.reserve(static_cast<std::size_t>(c.layers));
    for (std::int64_t i = 0; i < c.layers; ++i)
      blocks_.emplace_back(mesh, weights, "model.layers." + std::to_string(i), c);
    if (!c.tied) output_.emplace(mesh, weights, "lm_head", Shape{c.hidden}, Shape{c.vocabulary}, false);
  }

  const LlamaConfig& config() const { return config_; }
  const Mesh& mesh() const { return mesh_; }

  /// What the last norm gives for each token.
  /// @param keys  what the queries look at: CausalKeys, or a cache's FirstKeys and NextKeys
  /// @pre         0 <= position < context
  template <class Ids, class Positions, class Keys>
  auto hidden(const Ids& ids, const Positions& position, Keys&& keys) const {
    const auto x = redistribute<typename Plan::stream>(tokens_.rows(ids));
    return norm_(detail::through(blocks_, x, [&](const auto& block, std::size_t i, const auto& in) {
      return block(in, position, rotary_, i, keys);
    }));
  }

  /// What comes after each position, before softmax: x is [..., h], of any number of dims.
  template <class X>
  auto project(const X& x) const {
    const auto r = redistribute<Entering>(x);
    return output_ ? (*output_)(r) : tokens_.logits(r);
  }

  /// @throws tpx::Error where the tokens are more than the context
  template <class Ids>
  auto logits(const Ids& ids) const {
    if (ids.extent(1) > config_.context)
      fail("tpx::Llama: " + std::to_string(ids.extent(1)) + " tokens are more than the context, which has " +
           std::to_string(config_.context));
    return project(hidden(ids, positions_of(ids), CausalKeys{}));
  }

  /// The mean negative log-likelihood of the targets, over all ranks' batches.
  template <class Ids, class Targets>
  auto loss(const Ids& ids, const Targets& targets) const {
    return token_loss<axis>(logits(ids), targets);
  }

  template <class F>
  void visit(F&& f) {
    tokens_.visit(f);
    for (auto& block : blocks_) block.visit(f);
    norm_.visit(f);
    if (output_) output_->visit(f);
  }

 private:
  using axis = typename Plan::axis;
  using Entering = detail::entering_whole_t<Plan, typename Plan::tables, typename Plan::logits>;
  using beside = detail::beside_t<Plan, typename Plan::stream>;

  LlamaConfig config_;
  Mesh mesh_;
  RotaryTable<T, Mesh> rotary_;
  EmbeddingTable<T, Mesh, Plan, typename Plan::tables, Entering> tokens_;
  std::vector<LlamaBlock<T, Mesh, Plan>> blocks_;
  RmsNorm<T, Mesh, beside> norm_;
  std::optional<Projection<T, Mesh, Plan, typename Plan::logits, 1, 1, Entering>> output_;
};

/// Calls f(model), the model split by TensorParallel<Axis>, with shared keys where the ranks are more than the
/// key heads: what one takes who has no plan of his own.
/// @throws tpx::Error as the model's constructor
template <class T, class Axis, class Mesh, class Weights, class F>
decltype(auto) with_llama(const Mesh& mesh, const LlamaConfig& config, const Weights& weights, F&& f) {
  if (mesh.template size<Axis>() <= config.kv_heads)
    return f(parallelize<Llama, T, TensorParallel<Axis>>(mesh, config, weights));
  return f(parallelize<Llama, T, SharedKeys<TensorParallel<Axis>>>(mesh, config, weights));
}

}  // namespace tpx
