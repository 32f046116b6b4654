// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tpx/nn/gpt.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/train/micro_batch.hpp>
#include <tpx/train/pipeline_placement.hpp>
#include <tpx/train/pipeline_schedule.hpp>

namespace tpx {

/// A batch of token sequences for a GPT, made micro-batch by micro-batch, where it is needed.
///
/// @param token  token(sample, position) of the batch, for positions 0 to context: what comes at a position is
///               the target of the one before
/// @tparam Batch  how the samples are split: Shard<0, dp>, or Shard<0, Balanced, dp> for any number of them
template <class Batch, class Mesh, class Token>
class TokenBatch {
 public:
  TokenBatch(const Mesh& mesh, const MicroBatches& micro_batches, std::int64_t context, Token token)
      : mesh_(mesh), micro_batches_(micro_batches), context_(context), token_(std::move(token)) {}

  const MicroBatches& micro_batches() const { return micro_batches_; }
  std::int64_t context() const { return context_; }

  /// i32 [samples of the micro-batch as Batch, context].  @comm none
  auto ids(int m) const { return tokens(m, 0); }
  auto targets(int m) const { return tokens(m, 1); }

 private:
  auto tokens(int m, std::int64_t shift) const {
    const Piece samples = micro_batches_[m];
    return from_function<std::int32_t>(mesh_, layout<Batch>, {samples.extent, context_}, [&](const auto& i) {
      return token_(samples.offset + i[0], i[1] + shift);
    });
  }

  Mesh mesh_;
  MicroBatches micro_batches_;
  std::int64_t context_;
  Token token_;
};

template <class Batch, class Mesh, class Token>
auto make_token_batch(const Mesh& mesh, const MicroBatches& micro_batches, std::int64_t context, Token token) {
  return TokenBatch<Batch, Mesh, Token>(mesh, micro_batches, context, std::move(token));
}

/// One pipeline rank's part of a Gpt: the same parameters by name, so the same model. The first rank has the
/// embeddings, the last one the norm, and the token table again as the output layer.
///
///   x  [b as Batch,s,h]  goes from stage to stage
///
/// @tparam Batch  how the samples are split, as in TokenBatch
/// @tparam Axis   of the stage's mesh that splits the layers
/// @comm   as Gpt's, of the layers that are here
template <class T, class Mesh, class Batch, class Axis>
class PipelineGpt {
 public:
  using element_type = T;
  using mesh_type = Mesh;
  using activation_type = DTensor<T, 3, layout_t<Batch>, Mesh>;

  /// @param  rank       along the pipeline's axis
  /// @pre    the placement is of the config's layers, a stage for each of the schedule's
  /// @throws tpx::Error, on every rank, where it is not, or the extents do not fit
  PipelineGpt(const Mesh& mesh, const GptConfig& config, const PipelineSchedule& schedule,
              const LayerPlacement& placement, int rank)
      : config_((check(config, mesh.template size<Axis>()), config)), mesh_(mesh) {
    if (placement.stages() != schedule.stages() || placement.layers() != config.layers)
      fail("tpx::PipelineGpt: the placement " + placement.describe() + " is of " +
           std::to_string(placement.layers()) + " layers on " + std::to_string(placement.stages()) +
           " stages; the model has " + std::to_string(config.layers) + " layers, the pipeline " +
           std::to_string(schedule.stages()) + " stages");
    const bool first = rank == 0, last = rank == schedule.ranks - 1;
    if (first || last) tokens_.emplace(detail::make_gpt_tokens<T, Axis>(mesh, config));
    if (first) positions_.emplace(detail::make_gpt_positions<T>(mesh, config));
    if (last) norm_.emplace(mesh, "norm", config.hidden);
    for (int c = 0; c < schedule.chunks; ++c) {
      const LayerRange& range = placement[schedule.stage(rank, c)];
      auto& chunk = chunks_.emplace_back();
      chunk.reserve(static_cast<std::size_t>(range.size()));
      for (std::int64_t i = range.first; i < range.last; ++i)
        chunk.push_back(detail::make_gpt_block<T, Axis>(mesh, config, i));
    }
    if (schedule.ranks > 1 && first != last && tokens_) tied_with_ = first ? schedule.ranks - 1 : 0;
    if (last && tied_with_) tokens_->track().state->counts = false;
  }

  const GptConfig& config() const { return config_; }
  const Mesh& mesh() const { return mesh_; }

  /// The rank along the pipeline's axis that has the token table too.
  std::optional<int> tied_with() const { return tied_with_; }

  /// Calls f(parameter) for each that another rank has too, in the same order there.
  template <class F>
  void visit_tied(F&& f) {
    if (tied_with_) f(*tokens_);
  }

  template <class F>
  void visit(F&& f) {
    if (tokens_) f(*tokens_);
    if (positions_) f(*positions_);
    for (auto& chunk : chunks_)
      for (auto& block : chunk) block.visit(f);
    if (norm_) norm_->visit(f);
  }

  // ---- for Pipeline -----------------------------------------------------------------------------

  template <class Samples>
  Shape activation_shape(const Samples& batch, int m) const {
    return {batch.micro_batches()[m].extent, batch.context(), config_.hidden};
  }
  template <class Samples>
  auto enter(Tape<Mesh>& tape, const Samples& batch, int m) const {
    return embed(tape.input(batch.ids(m)));
  }
  template <class Samples>
  auto enter(const Samples& batch, int m) const {
    return embed(batch.ids(m));
  }
  template <class X>
  X run(int chunk, const X& x) const {
    X y = x;
    for (const auto& block : chunks_[static_cast<std::size_t>(chunk)]) y = block(y);
    return y;
  }
  template <class X, class Samples>
  auto leave(const X& x, const Samples& batch, int m) const {
    return scale(cross_entropy<over<Axis>>(logits(x), batch.targets(m), {config_.classes}),
                 batch.micro_batches().weight(m));
  }
  /// What comes after each position, of what the last layers gave, before softmax.
  template <class X>
  auto logits(const X& x) const {
    return matmul_transposed(redistribute<Replicate<Axis>>((*norm_)(x)), *tokens_);
  }

 private:
  template <class Ids>
  auto embed(const Ids& ids) const {
    return add(redistribute<Invariant<Axis>>(embedding(ids, *tokens_)), *positions_);
  }

  GptConfig config_;
  Mesh mesh_;
  std::optional<Parameter<T, 2, parameter_layout_t<Mesh, Shard<0, Axis>>, Mesh>> tokens_;
  std::optional<Parameter<T, 2, parameter_layout_t<Mesh>, Mesh>> positions_;
  std::vector<std::vector<TransformerBlock<T, Mesh, Axis>>> chunks_;
  std::optional<LayerNorm<T, Mesh, Invariant<Axis>>> norm_;
  std::optional<int> tied_with_;
};

}  // namespace tpx
