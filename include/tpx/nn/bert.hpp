// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tpx/nn/layer_norm.hpp>
#include <tpx/nn/projection.hpp>
#include <tpx/nn/token_loss.hpp>
#include <tpx/ops/attention.hpp>
#include <tpx/ops/decode.hpp>
#include <tpx/ops/pointwise.hpp>

namespace tpx {

/// The extents of an encoder of the BERT family.
struct BertConfig {
  std::int64_t vocabulary = 0;
  std::int64_t context = 0;  ///< positions
  std::int64_t types = 0;    ///< of tokens: which of two sentences they are of
  std::int64_t layers = 0;
  std::int64_t hidden = 0;  ///< features of an activation
  std::int64_t heads = 0;
  std::int64_t ffn = 0;  ///< features inside the MLP
  double epsilon = 1e-12;
};

/// Throws tpx::Error, the same on every rank, where the extents do not fit each other or the ranks of the axis.
inline void check(const BertConfig& c, std::int64_t ranks) {
  const auto rule = [](bool fits, const std::string& sentence) {
    if (!fits) fail("tpx::Bert: " + sentence);
  };
  const auto text = [](std::int64_t n) { return std::to_string(n); };
  rule(c.vocabulary >= 1 && c.context >= 1 && c.types >= 1 && c.layers >= 1 && c.hidden >= 1 && c.heads >= 1 &&
           c.ffn >= 1,
       "vocabulary, context, types, layers, hidden, heads and ffn are at least 1");
  rule(c.hidden % c.heads == 0,
       "hidden is a multiple of heads; hidden = " + text(c.hidden) + ", heads = " + text(c.heads));
  rule(c.heads >= ranks,
       "each rank of the tensor axis has a head; heads = " + text(c.heads) + ", ranks = " + text(ranks));
}

/// One block, norms last.
///
///   q, k, v = x Wq + bq, ...     attention(x) = softmax(q k^T / sqrt(d)) v Wo + bo     mlp(x) = gelu(x W1 +
///   b1) W2 + b2 x = norm(x + attention(x)),   y = norm(x + mlp(x))              gelu in its exact form
///
///   x, y  [b,s,h] as the plan's stream     q, k, v  [b,s,heads@tp,d]     gelu(...)  [b,s,f@tp]
///
/// @comm   forward with TensorParallel: two all_reduces of (b, s, h); with SequenceParallel: two all_gathers
///         and two reduce_scatters of as many.  backward: the same
template <class T, class Mesh, class Plan>
class BertBlock {
 public:
  template <class Weights>
  BertBlock(const Mesh& mesh, const Weights& weights, const std::string& name, const BertConfig& c)
      : query_(mesh, weights, name + ".attention.self.query", {c.hidden}, factors(c), true),
        key_(mesh, weights, name + ".attention.self.key", {c.hidden}, factors(c), true),
        value_(mesh, weights, name + ".attention.self.value", {c.hidden}, factors(c), true),
        output_(mesh, weights, name + ".attention.output.dense", factors(c), {c.hidden}, true),
        norm1_(mesh, weights, name + ".attention.output.LayerNorm", c.hidden, c.epsilon),
        up_(mesh, weights, name + ".intermediate.dense", {c.hidden}, {c.ffn}, true),
        down_(mesh, weights, name + ".output.dense", {c.ffn}, {c.hidden}, true),
        norm2_(mesh, weights, name + ".output.LayerNorm", c.hidden, c.epsilon) {}

  template <class X, class Lengths>
  auto operator()(const X& x, const Lengths& lengths) const {
    const auto r = redistribute<IntoAttention>(x);  // once for three uses
    const auto a = norm1_(output_(attention(query_(r), key_(r), value_(r), Mask::none, lengths), x));
    return norm2_(down_(gelu(up_(redistribute<IntoMlp>(a))), a));
  }

  template <class F>
  void visit(F&& f) {
    query_.visit(f);
    key_.visit(f);
    value_.visit(f);
    output_.visit(f);
    norm1_.visit(f);
    up_.visit(f);
    down_.visit(f);
    norm2_.visit(f);
  }

 private:
  static Shape factors(const BertConfig& c) { return {c.heads, c.hidden / c.heads}; }

  using stream = typename Plan::stream;
  using beside = detail::beside_t<Plan, stream>;
  using IntoAttention =
      detail::entering_whole_t<Plan, typename Plan::query, typename Plan::key, typename Plan::value>;
  using IntoMlp = detail::entering_t<Plan, typename Plan::up>;
  Projection<T, Mesh, Plan, typename Plan::query, 1, 2, IntoAttention> query_;
  Projection<T, Mesh, Plan, typename Plan::key, 1, 2, IntoAttention> key_;
  Projection<T, Mesh, Plan, typename Plan::value, 1, 2, IntoAttention> value_;
  Projection<T, Mesh, Plan, typename Plan::attention_output, 2, 1, IntoAttention, stream> output_;
  LayerNorm<T, Mesh, beside> norm1_;
  Projection<T, Mesh, Plan, typename Plan::up, 1, 1, IntoMlp> up_;
  Projection<T, Mesh, Plan, typename Plan::down, 1, 1, IntoMlp, stream> down_;
  LayerNorm<T, Mesh, beside> norm2_;
};

/// An encoder of the BERT family, split as Plan says: each token sees all others but the padding.
///
///   ids, types  i32 [b@dp,s]     lengths  i32 [b@dp]     hidden  [b@dp,s,h] as the plan's stream
///
/// Parameters have the names of Hugging Face's files, and are Replicate on the mesh's data axes.
///
/// @comm   forward with TensorParallel: one all_reduce of (b, s, h) for the embeddings, two for each block.
///         backward: two for each block
/// @see    arXiv:1810.04805
template <class T, class Mesh, class Plan>
class Bert {
 public:
  using element_type = T;
  using mesh_type = Mesh;
  using plan_type = Plan;
  using config_type = BertConfig;

  /// @throws tpx::Error, on every rank, where the extents do not fit each other, the mesh or the weights
  template <class Weights>
  Bert(const Mesh& mesh, const BertConfig& c, const Weights& weights)
      : config_((check(c, mesh.template size<axis>()), c)),
        mesh_(mesh),
        tokens_(mesh, weights, "embeddings.word_embeddings", c.vocabulary, c.hidden),
        positions_(mesh, weights, "embeddings.position_embeddings", c.context, c.hidden),
        types_(mesh, weights, "embeddings.token_type_embeddings", c.types, c.hidden),
        norm_(mesh, weights, "embeddings.LayerNorm", c.hidden, c.epsilon) {
    blocks_.reserve(static_cast<std::size_t>(c.layers));
    for (std::int64_t i = 0; i < c.layers; ++i)
      blocks_.emplace_back(mesh, weights, "encoder.layer." + std::to_string(i), c);
  }

  const BertConfig& config() const { return config_; }
  const Mesh& mesh() const { return mesh_; }

  /// What the last block gives for each token.
  /// @param lengths  of each sample, its tokens; those from there on are padding, which no token sees
  /// @throws tpx::Error where the tokens are more than the context
  template <class Ids, class Types, class Lengths>
  auto hidden(const Ids& ids, const Types& types, const Lengths& lengths) const {
    if (ids.extent(1) > config_.context)
      fail("tpx::Bert: " + std::to_string(ids.extent(1)) + " tokens are more than the context, which has " +
           std::to_string(config_.context));
    // The tables are split by rows, so the ranks hold terms of all three, which are summed together.
    const auto terms = add(add(tokens_.rows(ids), positions_.rows(positions_of(ids))), types_.rows(types));
    const auto x = norm_(redistribute<typename Plan::stream>(terms));
    return detail::through(blocks_, x,
                           [&](const auto& block, std::size_t, const auto& in) { return block(in, lengths); });
  }

  /// How well each token's features are those of each of the vocabulary: the tokens' table as the output layer.
  template <class Ids, class Types, class Lengths>
  auto logits(const Ids& ids, const Types& types, const Lengths& lengths) const {
    return tokens_.logits(redistribute<Entering>(hidden(ids, types, lengths)));
  }

  /// The mean negative log-likelihood of the targets, over all ranks' batches.
  template <class Ids, class Types, class Lengths, class Targets>
  auto loss(const Ids& ids, const Types& types, const Lengths& lengths, const Targets& targets) const {
    return token_loss<axis>(logits(ids, types, lengths), targets);
  }

  template <class F>
  void visit(F&& f) {
    tokens_.visit(f);
    positions_.visit(f);
    types_.visit(f);
    norm_.visit(f);
    for (auto& block : blocks_) block.visit(f);
  }

 private:
  using axis = typename Plan::axis;
  using Entering = detail::entering_whole_t<Plan, typename Plan::tables>;
  using Table = EmbeddingTable<T, Mesh, Plan, typename Plan::tables, Entering>;

  BertConfig config_;
  Mesh mesh_;
  Table tokens_, positions_, types_;
  LayerNorm<T, Mesh, detail::beside_t<Plan, typename Plan::stream>> norm_;
  std::vector<BertBlock<T, Mesh, Plan>> blocks_;
};

}  // namespace tpx
