// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tpx/nn/kv_cache.hpp>
#include <tpx/nn/layer_norm.hpp>
#include <tpx/nn/projection.hpp>
#include <tpx/nn/token_loss.hpp>
#include <tpx/ops/pointwise.hpp>

namespace tpx {

/// The extents of a model of the GPT-2 family.
struct Gpt2Config {
  std::int64_t vocabulary = 0;
  std::int64_t context = 0;  ///< positions
  std::int64_t layers = 0;
  std::int64_t hidden = 0;  ///< features of an activation
  std::int64_t heads = 0;
  std::int64_t ffn = 0;  ///< features inside the MLP
  double epsilon = 1e-5;
};

/// Throws tpx::Error, the same on every rank, where the extents do not fit each other or the ranks of the axis.
inline void check(const Gpt2Config& c, std::int64_t ranks) {
  const auto rule = [](bool fits, const std::string& sentence) {
    if (!fits) fail("tpx::Gpt2: " + sentence);
  };
  const auto text = [](std::int64_t n) { return std::to_string(n); };
  rule(c.vocabulary >= 1 && c.context >= 1 && c.layers >= 1 && c.hidden >= 1 && c.heads >= 1 && c.ffn >= 1,
       "vocabulary, context, layers, hidden, heads and ffn are at least 1");
  rule(c.hidden % c.heads == 0,
       "hidden is a multiple of heads; hidden = " + text(c.hidden) + ", heads = " + text(c.heads));
  rule(c.heads >= ranks,
       "each rank of the tensor axis has a head; heads = " + text(c.heads) + ", ranks = " + text(ranks));
}

/// One block, norms first.
///
///   q, k, v = x Wq + bq, ...     attention(x) = softmax(q k^T / sqrt(d)) v Wo + bo     mlp(x) = gelu(x W1 +
///   b1) W2 + b2 x = x + attention(norm(x)),   y = x + mlp(norm(x))
///
///   x, y  [b,s,h] as the plan's stream     q, k, v  [b,s,heads@tp,d]     gelu(...)  [b,s,f@tp]
///
/// @comm   forward with TensorParallel: two all_reduces of (b, s, h); with SequenceParallel: two all_gathers
///         and two reduce_scatters of as many.  backward: the same
template <class T, class Mesh, class Plan>
class Gpt2Block {
 public:
  template <class Weights>
  Gpt2Block(const Mesh& mesh, const Weights& weights, const std::string& name, const Gpt2Config& c)
      : norm1_(mesh, weights, name + ".ln_1", c.hidden, c.epsilon),
        query_(mesh, weights, name + ".attn.q", {c.hidden}, factors(c), true),
        key_(mesh, weights, name + ".attn.k", {c.hidden}, factors(c), true),
        value_(mesh, weights, name + ".attn.v", {c.hidden}, factors(c), true),
        output_(mesh, weights, name + ".attn.c_proj", factors(c), {c.hidden}, true),
        norm2_(mesh, weights, name + ".ln_2", c.hidden, c.epsilon),
        up_(mesh, weights, name + ".mlp.c_fc", {c.hidden}, {c.ffn}, true),
        down_(mesh, weights, name + ".mlp.c_proj", {c.ffn}, {c.hidden}, true) {}

  template <class X, class Keys>
  auto operator()(const X& x, std::size_t layer, Keys& keys) const {
    const auto r = redistribute<IntoAttention>(norm1_(x));  // once for three uses
    const auto a = output_(keys.template attend<false>(layer, query_(r), key_(r), value_(r)), x);
    return down_(gelu_tanh(up_(redistribute<IntoMlp>(norm2_(a)))), a);
  }

  template <class F>
  void visit(F&& f) {
    norm1_.visit(f);
    query_.visit(f);
    key_.visit(f);
    value_.visit(f);
    output_.visit(f);
    norm2_.visit(f);
    up_.visit(f);
    down_.visit(f);
  }

 private:
  static Shape factors(const Gpt2Config& c) { return {c.heads, c.hidden / c.heads}; }

  using stream = typename Plan::stream;
  using beside = detail::beside_t<Plan, stream>;
  using IntoAttention =
      detail::entering_whole_t<Plan, typename Plan::query, typename Plan::key, typename Plan::value>;
  using IntoMlp = detail::entering_t<Plan, typename Plan::up>;
  LayerNorm<T, Mesh, beside> norm1_;
  Projection<T, Mesh, Plan, typename Plan::query, 1, 2, IntoAttention> query_;
  Projection<T, Mesh, Plan, typename Plan::key, 1, 2, IntoAttention> key_;
  Projection<T, Mesh, Plan, typename Plan::value, 1, 2, IntoAttention> value_;
  Projection<T, Mesh, Plan, typename Plan::attention_output, 2, 1, IntoAttention, stream> output_;
  LayerNorm<T, Mesh, beside> norm2_;
  Projection<T, Mesh, Plan, typename Plan::up, 1, 1, IntoMlp> up_;
  Projection<T, Mesh, Plan, typename Plan::down, 1, 1, IntoMlp, stream> down_;
};

/// A decoder-only transformer of the GPT-2 family, split as Plan says: learned positions, layer norms, biases,
/// and the tokens' table again as the output layer.
///
///   ids  i32 [b@dp,s]     hidden  [b@dp,s,h]     logits  [b@dp,s,v@tp]     loss  []{P:dp}
///
/// Parameters have the names of Hugging Face's files, but that "attn.c_attn" is "attn.q", "attn.k" and
/// "attn.v", and are Replicate on the mesh's data axes.
///
/// @comm   forward with TensorParallel: one all_reduce of (b, s, h) for the embeddings, two for each block; the
///         loss all_reduces (b, s) and 2 (b, s).  backward: two for each block, one for the output layer
/// @see    Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"
template <class T, class Mesh, class Plan>
class Gpt2 {
 public:
  using element_type = T;
  using mesh_type = Mesh;
  using plan_type = Plan;
  using config_type = Gpt2Config;

  /// @throws tpx::Error, on every rank, where the extents do not fit each other, the mesh or the weights
  template <class Weights>
  Gpt2(const Mesh& mesh, const Gpt2Config& c, const Weights& weights)
      : config_((check(c, mesh.template size<axis>()), c)),
        mesh_(mesh),
        tokens_(mesh, weights, "wte", c.vocabulary, c.hidden),
        positions_(mesh, weights, "wpe", c.context, c.hidden),
        norm_(mesh, weights, "ln_f", c.hidden, c.epsilon) {
    blocks_.reserve(static_cast<std::size_t>(c.layers));
    for (std::int64_t i = 0; i < c.layers; ++i)
      blocks_.emplace_back(mesh, weights, "h." + std::to_string(i), c);
  }

  const Gpt2Config& config() const { return config_; }
  const Mesh& mesh() const { return mesh_; }

  /// What the last norm gives for each token.
  /// @param keys  what the queries look at: CausalKeys, or a cache's FirstKeys and NextKeys
  /// @pre         0 <= position < context, and the positions are on the tape that the ids are on
  template <class Ids, class Positions, class Keys>
  auto hidden(const Ids& ids, const Positions& position, Keys&& keys) const {
    // Both tables are split by rows, so the ranks hold terms of both, which are summed together.
    const auto x = redistribute<typename Plan::stream>(add(tokens_.rows(ids), positions_.rows(position)));
    return norm_(detail::through(
        blocks_, x, [&](const auto& block, std::size_t i, const auto& in) { return block(in, i, keys); }));
  }

  /// What comes after each position, before softmax: x is [..., h], of any number of dims.
  template <class X>
  auto project(const X& x) const {
    return tokens_.logits(redistribute<Entering>(x));
  }

  /// @throws tpx::Error where the tokens are more than the context
  template <class Ids>
  auto logits(const Ids& ids) const {
    if (ids.extent(1) > config_.context)
      fail("tpx::Gpt2: " + std::to_string(ids.extent(1)) + " tokens are more than the context, which has " +
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
    positions_.visit(f);
    for (auto& block : blocks_) block.visit(f);
    norm_.visit(f);
  }

 private:
  using axis = typename Plan::axis;
  using Entering = detail::entering_whole_t<Plan, typename Plan::tables>;

  Gpt2Config config_;
  Mesh mesh_;
  EmbeddingTable<T, Mesh, Plan, typename Plan::tables, Entering> tokens_;
  EmbeddingTable<T, Mesh, Plan, typename Plan::tables, Entering> positions_;
  std::vector<Gpt2Block<T, Mesh, Plan>> blocks_;
  LayerNorm<T, Mesh, detail::beside_t<Plan, typename Plan::stream>> norm_;
};

}  // namespace tpx
