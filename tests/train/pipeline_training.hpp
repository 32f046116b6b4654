// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tpx/train/pipeline.hpp>
#include <tpx/train/pipeline_gpt.hpp>
#include <tpx/train/pipeline_gradients.hpp>

#include "train/training.hpp"

/// A small GPT in training on every mesh <dp, pp, tp>, and the same on one rank.
namespace tpx::test {

using axes::pp;

/// Ten layers divide by few numbers of stages; heads and extents divide by 2.
inline GptConfig deep_gpt(Recompute recompute = Recompute::none) {
  GptConfig config;
  config.vocabulary = 24;
  config.classes = 23;
  config.context = 6;
  config.layers = 10;
  config.hidden = 16;
  config.heads = 4;
  config.seed = 3;
  config.recompute = recompute;
  return config;
}

inline constexpr std::int64_t deep_batch = 12;

inline std::int64_t deep_token(std::int64_t step, std::int64_t sample, std::int64_t position) {
  return (7 * sample + 3 * position + position * position % 5 + 5 * step) % deep_gpt().classes;
}

inline CosineSchedule deep_rate() { return {5e-3, 5e-4, 5, 30}; }

/// How a pipeline is run.
struct PipelinePlan {
  PipelineKind kind = PipelineKind::gpipe;
  int micro_batches = 1;
  int chunks = 1;
  Recompute recompute = Recompute::none;
  std::string placement{};  ///< of the layers; empty: evenly
};

template <class Mesh, class T>
class PipelineTraining {
  using Stage = PipelineGpt<T, decltype(stage_mesh<pp>(std::declval<Mesh>())), Shard<0, dp>, tp>;

 public:
  PipelineTraining(const Mesh& mesh, const PipelinePlan& plan, T)
      : mesh_(mesh),
        micro_batches_(deep_batch, plan.micro_batches, mesh.template size<dp>()),
        schedule_(make_pipeline_schedule(plan.kind, mesh.template size<pp>(), plan.micro_batches, plan.chunks)),
        stage_(stage_mesh<pp>(mesh), deep_gpt(plan.recompute), schedule_,
               plan.placement.empty() ? even_layers(deep_gpt().layers, schedule_.stages())
                                      : layer_placement(plan.placement, deep_gpt().layers, schedule_.stages()),
               mesh.template coordinate<pp>()),
        pipeline_(mesh, stage_, schedule_),
        gradients_(stage_),
        optimizer_(stage_) {}

  Stage& stage() { return stage_; }
  const Pipeline<pp, Mesh, Stage>& pipeline() const { return pipeline_; }
  const MicroBatches& micro_batches() const { return micro_batches_; }

  auto step(std::int64_t number) {
    const auto batch = make_token_batch<Shard<0, dp>>(
        stage_.mesh(), micro_batches_, deep_gpt().context,
        [=](std::int64_t i, std::int64_t at) { return deep_token(number, i, at); });
    gradients_.reset();
    const auto loss = pipeline_.run(batch);
    const auto reduced = gradients_.template reduce<over<dp>>();
    add_tied_gradients<pp>(mesh_, stage_, reduced);
    const auto clipped = clip_grad_norm<over<dp, pp, tp>>(reduced, stage_, 1.0, mesh_);
    optimizer_.step(reduced, deep_rate()(number), clipped);
    return redistribute<Invariant<dp>>(loss);
  }

  std::vector<double> losses(std::int64_t steps) {
    std::vector<double> all;
    for (std::int64_t i = 0; i < steps; ++i) all.push_back(static_cast<double>(item(step(i))));
    return all;
  }

 private:
  Mesh mesh_;
  MicroBatches micro_batches_;
  PipelineSchedule schedule_;
  Stage stage_;
  Pipeline<pp, Mesh, Stage> pipeline_;
  Gradients<Stage> gradients_;
  AdamW<Stage> optimizer_;
};

/// The losses of the whole model on one rank, the batch in one piece.
template <class T>
std::vector<double> deep_losses(std::int64_t steps) {
  const auto mesh = make_mesh<dp, tp>(comm::Self{}, {1, 1});
  using Model = Gpt<T, std::decay_t<decltype(mesh)>, tp>;
  Model model(mesh, deep_gpt());
  Gradients<Model> gradients(model);
  AdamW<Model> optimizer(model);
  Tape tape(mesh);
  std::vector<double> all;
  for (std::int64_t step = 0; step < steps; ++step) {
    const auto tokens = [&](std::int64_t shift) {
      return from_function<std::int32_t>(mesh, layout<Shard<0, dp>>, {deep_batch, deep_gpt().context},
                                         [&](const auto& i) { return deep_token(step, i[0], i[1] + shift); });
    };
    gradients.reset();
    tape.clear();
    const auto loss = model.loss(tape.input(tokens(0)), tokens(1));
    backward(loss);
    const auto reduced = gradients.template reduce<over<dp>>();
    const auto clipped = clip_grad_norm<over<dp, tp>>(reduced, model, 1.0);
    optimizer.step(reduced, deep_rate()(step), clipped);
    all.push_back(static_cast<double>(item(redistribute<Invariant<dp>>(detach(loss)))));
  }
  return all;
}

}  // namespace tpx::test
