// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include <tpx/train/data_parallel.hpp>
#include <tpx/train/micro_batch.hpp>
#include <tpx/train/pipeline.hpp>
#include <tpx/train/pipeline_gpt.hpp>
#include <tpx/train/pipeline_placement.hpp>
#include <tpx/train/pipeline_schedule.hpp>

namespace tpx {

/// How a GPT is trained on a mesh <dp, pp, tp>.
struct GptTrainerOptions {
  std::int64_t batch = 1;  ///< samples of a step, over all ranks
  PipelineKind schedule = PipelineKind::one_f_one_b;
  int micro_batches = 0;                      ///< parts of a batch; 0: as few as the schedule takes
  int chunks = 1;                             ///< of layers, on each pp rank
  std::optional<LayerPlacement> placement{};  ///< of the layers on stages; evenly if not given
  DataParallelOptions data{};                 ///< buckets, ZeRO's stage, the optimizer
  double clip = 1.0;                          ///< largest norm of a gradient
};

/// The schedule that the options say, for so many pipeline ranks.
/// @throws tpx::Error as make_pipeline_schedule
inline PipelineSchedule make_pipeline_schedule(const GptTrainerOptions& options, int ranks) {
  return make_pipeline_schedule(
      options.schedule, ranks,
      options.micro_batches == 0 ? least_micro_batches(options.schedule, ranks) : options.micro_batches,
      options.chunks);
}

/// Trains a GPT split three ways: the batch over dp, the layers over pp, each layer over tp. The losses are
/// those of one rank, on any mesh.
///
///   const auto mesh = make_mesh<dp, pp, tp>(world, {2, 2, 0});
///   auto trainer = make_gpt_trainer<float>(mesh, config, {.batch = 24, .micro_batches = 8, .data = {.zero =
///   1}}); loop:  const auto loss = trainer.step(rate, token);  // token(sample, position), f32[]
///
/// @comm   a step: Gpt's along tp, Pipeline's along pp, DataParallel's along dp; the norm's over all three
template <class T, class Mesh>
class GptTrainer {
 public:
  /// Any number of samples: of a micro-batch ranks may have one more than others, or none.
  using Samples = Shard<0, Balanced, axes::dp>;
  using Model = PipelineGpt<T, decltype(stage_mesh<axes::pp>(std::declval<const Mesh&>())), Samples, axes::tp>;

  /// @pre    each stage has at least one layer, each micro-batch a sample; heads, hidden and vocabulary are
  ///         multiples of tp's ranks
  /// @throws tpx::Error, on every rank, naming what does not fit
  GptTrainer(const Mesh& mesh, const GptConfig& config, const GptTrainerOptions& options)
      : GptTrainer(mesh, config, options, make_pipeline_schedule(options, mesh.template size<axes::pp>())) {}

  const Mesh& mesh() const { return mesh_; }
  Model& model() { return model_; }
  DataParallel<axes::dp, Model>& data() { return data_; }
  Pipeline<axes::pp, Mesh, Model>& pipeline() { return pipeline_; }
  const GptTrainerOptions& options() const { return options_; }

  /// Number of the whole model's parameters.
  /// @comm an all_reduce of 1 i64 over pp
  std::int64_t parameters() {
    std::int64_t n = 0;
    model_.visit([&](const auto& p) { n += p.track().state->counts ? p.shape().count() : 0; });
    if (mesh_.template size<axes::pp>() > 1)
      mesh_.template communicator<axes::pp>().all_reduce(&n, &n, 1, Element::i64, Reduction::sum);
    return n;
  }

  /// One update; the mean loss of the batch, T[] on every rank.
  ///
  /// @param  token  token(sample, position), the same function on every rank, for samples of the batch and
  ///                positions 0 to the context: what comes at a position is to be told from those before
  template <class Token>
  auto step(double learning_rate, Token&& token) {
    data_.reset(share_);
    const auto loss = pipeline_.run(batch(token), data_.when_final());  // []{P:dp}
    data_.reduce();
    data_.template add_tied<axes::pp>(mesh_);
    norm_.emplace(data_.template clip<over<axes::dp, axes::pp, axes::tp>>(options_.clip, mesh_));
    data_.step(learning_rate, *norm_);
    return redistribute<Invariant<axes::dp>>(loss);
  }

  /// Of the last step's gradients, before they were clipped.
  double gradient_norm() const {
    TPX_EXPECTS(norm_.has_value(), "a norm is of a step's gradients");
    return norm_->norm();
  }

  /// The mean loss of a batch, by the forward alone.
  /// @pre  parameters are the same along dp: data().average() where they are averaged now and then
  template <class Token>
  double evaluate(Token&& token) {
    const auto samples = batch(token);
    double sum = 0;
    pipeline_.forward(samples, micro_batches_.count(), [&](const auto& y, int m) {
      sum += static_cast<double>(item(redistribute<Invariant<axes::dp>>(model_.leave(y, samples, m))));
    });
    tell(sum, Element::f64);
    return sum;
  }

  /// The last stage's number, on every stage.
  template <class Number>
  void tell(Number& number, Element element) const {
    if (const int stages = mesh_.template size<axes::pp>(); stages > 1)
      mesh_.template communicator<axes::pp>().broadcast(&number, 1, element, stages - 1);
  }

 private:
  GptTrainer(const Mesh& mesh, const GptConfig& config, const GptTrainerOptions& options,
             const PipelineSchedule& schedule)
      : mesh_(mesh),
        options_(options),
        micro_batches_(options.batch, schedule.micro_batches),
        model_(stage_mesh<axes::pp>(mesh), config, schedule,
               options.placement ? *options.placement : even_layers(config.layers, schedule.stages()),
               mesh.template coordinate<axes::pp>()),
        pipeline_(mesh, model_, schedule),
        data_(model_, options.data) {
    double mine = 0;
    for (int m = 0; m < micro_batches_.count(); ++m)
      mine += static_cast<double>(Distribution(Shape{micro_batches_[m].extent},
                                               spec_v<layout_t<Samples>, typename Model::mesh_type::axes>,
                                               model_.mesh().grid())
                                      .piece(0)
                                      .extent);
    share_ = mine / static_cast<double>(options.batch);
  }

  template <class Token>
  auto batch(const Token& token) const {
    return make_token_batch<Samples>(model_.mesh(), micro_batches_, model_.config().context, token);
  }

  Mesh mesh_;
  GptTrainerOptions options_;
  MicroBatches micro_batches_;
  Model model_;
  Pipeline<axes::pp, Mesh, Model> pipeline_;
  DataParallel<axes::dp, Model> data_;
  double share_ = 1;  // of the batch's samples
  std::optional<ClippedNorm<T, typename Model::mesh_type>> norm_;
};

/// The trainer of a GPT with elements T on a mesh.
template <class T, class Mesh>
GptTrainer<T, Mesh> make_gpt_trainer(const Mesh& mesh, const GptConfig& config,
                                     const GptTrainerOptions& options = {}) {
  return GptTrainer<T, Mesh>(mesh, config, options);
}

}  // namespace tpx
