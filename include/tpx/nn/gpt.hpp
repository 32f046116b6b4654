// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tpx/nn/transformer.hpp>
#include <tpx/ops/cross_entropy.hpp>
#include <tpx/ops/embedding.hpp>

namespace tpx {

/// The extents of a GPT.
struct GptConfig {
  std::int64_t vocabulary = 0;  ///< rows of the table; a multiple of the tensor axis
  std::int64_t classes = 0;     ///< of which are tokens, the rest is padding; 0: all
  std::int64_t context = 64;    ///< positions
  std::int64_t layers = 4;
  std::int64_t hidden = 192;  ///< features of an activation
  std::int64_t heads = 12;
  std::int64_t ffn = 0;  ///< features inside the MLP; 0: four times hidden
  std::uint64_t seed = 1;
  Recompute recompute = Recompute::none;  ///< what of each block backward computes again

  std::int64_t mlp_features() const { return ffn == 0 ? 4 * hidden : ffn; }
};

/// Throws tpx::Error, the same on every rank, where the extents do not fit each other or the tensor axis.
inline void check(const GptConfig& c, std::int64_t ranks) {
  const auto rule = [](bool fits, const std::string& sentence) {
    if (!fits) fail("tpx::Gpt: " + sentence);
  };
  const auto text = [](std::int64_t n) { return std::to_string(n); };
  rule(c.vocabulary >= 1 && c.context >= 1 && c.layers >= 1 && c.hidden >= 1 && c.heads >= 1 &&
           c.mlp_features() >= 1,
       "vocabulary, context, layers, hidden, heads and ffn are at least 1");
  rule(c.classes >= 0 && c.classes <= c.vocabulary,
       "the classes are part of the vocabulary; " + text(c.classes) + " of " + text(c.vocabulary));
  rule(c.hidden % c.heads == 0,
       "hidden is a multiple of heads; hidden = " + text(c.hidden) + ", heads = " + text(c.heads));
  rule(c.heads >= ranks,
       "each rank of the tensor axis has a head; heads = " + text(c.heads) + ", ranks = " + text(ranks));
  rule(c.heads % ranks == 0,
       "heads are a multiple of the tensor axis; heads = " + text(c.heads) + ", ranks = " + text(ranks));
  rule(c.mlp_features() % ranks == 0, "the MLP's features are a multiple of the tensor axis; ffn = " +
                                          text(c.mlp_features()) + ", ranks = " + text(ranks));
  rule(c.vocabulary % ranks == 0, "the vocabulary is a multiple of the tensor axis; vocabulary = " +
                                      text(c.vocabulary) + ", ranks = " + text(ranks));
}

namespace detail {

template <class T, class Axis, class Mesh>
auto make_gpt_tokens(const Mesh& mesh, const GptConfig& c) {
  return make_weight<T, Shard<0, Axis>>(mesh, "tokens", {c.vocabulary, c.hidden}, c.seed, 0.02);
}
template <class T, class Mesh>
auto make_gpt_positions(const Mesh& mesh, const GptConfig& c) {
  return make_weight<T>(mesh, "positions", {c.context, c.hidden}, c.seed, 0.02);
}
/// Block number i. The residual stream adds up over the depth: its contributions start smaller, as in GPT-2.
template <class T, class Axis, class Mesh>
TransformerBlock<T, Mesh, Axis> make_gpt_block(const Mesh& mesh, const GptConfig& c, std::int64_t i) {
  return {mesh,
          "block" + std::to_string(i),
          c.hidden,
          c.heads,
          c.mlp_features(),
          c.seed,
          0.02,
          0.02 / std::sqrt(2.0 * static_cast<double>(c.layers)),
          c.recompute};
}

}  // namespace detail

/// A decoder-only transformer: token and position embeddings, blocks, a norm, and the token table again as
/// the output layer, its rows split over the vocabulary.
///
///   ids  i32 [b@data,s]     x  [b@data,s,h]     logits  [b@data,s,v@Axis]     loss  []{P:data}
///
/// Parameters are Replicate on the mesh's data axes, so their gradients are Partial there.
///
/// @comm   forward: one all_reduce of (b, s, h) over Axis for the embedding, two for each block; the loss
///         all_reduces (b, s) and 2 (b, s).  backward: two of (b, s, h) for each block, one for the output
///         layer
/// @see    Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; arXiv:1909.08053
template <class T, class Mesh, class Axis>
class Gpt {
 public:
  using element_type = T;
  using mesh_type = Mesh;

  /// @throws tpx::Error, on every rank, where the extents do not fit each other or the mesh
  Gpt(const Mesh& mesh, const GptConfig& config)
      : config_((check(config, mesh.template size<Axis>()), config)),
        mesh_(mesh),
        tokens_(detail::make_gpt_tokens<T, Axis>(mesh, config)),
        positions_(detail::make_gpt_positions<T>(mesh, config)),
        norm_(mesh, "norm", config.hidden) {
    blocks_.reserve(static_cast<std::size_t>(config.layers));
    for (std::int64_t i = 0; i < config.layers; ++i)
      blocks_.push_back(detail::make_gpt_block<T, Axis>(mesh, config, i));
  }

  const GptConfig& config() const { return config_; }
  const Mesh& mesh() const { return mesh_; }

  /// What comes after each position, before softmax.
  /// @pre    ids are [b, context]
  template <class Ids>
  auto logits(const Ids& ids) const {
    auto x = add(redistribute<Invariant<Axis>>(embedding(ids, tokens_)), positions_);
    for (const auto& block : blocks_) x = block(x);
    return matmul_transposed(redistribute<Replicate<Axis>>(norm_(x)), tokens_);
  }

  /// The mean negative log-likelihood of the targets, over all ranks' batches.
  template <class Ids, class Targets>
  auto loss(const Ids& ids, const Targets& targets) const {
    return cross_entropy<over<Axis>>(logits(ids), targets, {config_.classes});
  }

  template <class F>
  void visit(F&& f) {
    f(tokens_);
    f(positions_);
    for (auto& block : blocks_) block.visit(f);
    norm_.visit(f);
  }

 private:
  GptConfig config_;
  Mesh mesh_;
  Parameter<T, 2, parameter_layout_t<Mesh, Shard<0, Axis>>, Mesh> tokens_;
  Parameter<T, 2, parameter_layout_t<Mesh>, Mesh> positions_;
  std::vector<TransformerBlock<T, Mesh, Axis>> blocks_;
  LayerNorm<T, Mesh, Invariant<Axis>> norm_;
};

}  // namespace tpx
