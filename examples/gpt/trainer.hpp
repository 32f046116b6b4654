// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <tpx/io/checkpoint.hpp>
#include <tpx/tpx.hpp>
#include <tpx/train/data_parallel.hpp>
#include <tpx/train/micro_batch.hpp>
#include <tpx/train/pipeline.hpp>
#include <tpx/train/pipeline_gpt.hpp>
#include <tpx/train/pipeline_gradients.hpp>
#include <tpx/train/pipeline_placement.hpp>
#include <tpx/train/pipeline_schedule.hpp>
#include <tpx/train/training_state.hpp>

#include "options.hpp"
#include "text.hpp"

namespace gpt {

using tpx::axes::dp;
using tpx::axes::pp;
using tpx::axes::tp;

/// Streams of random numbers beside those of the parameters.
enum Stream : std::uint64_t { batches = 1, sampling = 2 };

/// A number in [0, 1) that depends on the seed, the stream and the index alone, not on who computes it.
inline double random(std::uint64_t seed, Stream stream, std::int64_t index) {
  const tpx::PhiloxBlock block = tpx::philox(seed, stream, static_cast<std::uint64_t>(index));
  return tpx::unit_interval(block.word[0], block.word[1]);
}

inline tpx::GptConfig config_of(const Options& options, const Text& text) {
  tpx::GptConfig config;
  config.vocabulary = text.vocabulary();
  config.classes = text.classes();
  config.context = options.context;
  config.layers = options.layers;
  config.hidden = options.hidden;
  config.heads = options.heads;
  config.seed = options.seed;
  config.recompute = tpx::recompute_kind(options.recompute);
  return config;
}

/// The model, what trains it and the text, on a mesh <dp, pp, tp>; on an abstract one nothing is computed and
/// all communication is noted.
///
///   ids  i32 [batch@dp,context]     targets  the same, one character later
template <class Mesh, class T>
class Trainer {
  using Samples = tpx::Shard<0, tpx::Balanced, dp>;
  using Stage = tpx::PipelineGpt<T, decltype(tpx::stage_mesh<pp>(std::declval<Mesh>())), Samples, tp>;

 public:
  /// The last argument is an element, to say which.
  Trainer(const Mesh& mesh, const Options& options, const Text& text, T)
      : mesh_(mesh),
        options_(options),
        text_(text),
        pipeline_schedule_(schedule_of(options)),
        micro_batches_(options.batch, pipeline_schedule_.micro_batches),
        model_(tpx::stage_mesh<pp>(mesh), config_of(options, text), pipeline_schedule_, placement_of(options),
               mesh.template coordinate<pp>()),
        pipeline_(mesh, model_, pipeline_schedule_),
        data_(model_, {.zero = options.zero,
                       .bucket_bytes = options.zero < 3 ? 0 : bytes_of_layer(),
                       .sync_every = options.sync_every,
                       .adamw = {.beta2 = 0.99, .weight_decay = options.weight_decay}}),
        schedule_{options.learning_rate, options.learning_rate / 10, options.warm_up, options.steps} {}

  /// Number of the whole model's parameters.
  std::int64_t parameters() {
    std::int64_t n = 0;
    model_.visit([&](const auto& p) { n += p.track().state->counts ? p.shape().count() : 0; });
    if (stages() > 1)
      mesh_.template communicator<pp>().all_reduce(&n, &n, 1, tpx::Element::i64, tpx::Reduction::sum);
    return n;
  }
  std::int64_t tokens_per_step() const { return options_.batch * options_.context; }

  /// One update from samples that every mesh draws alike; the mean loss over all ranks.
  auto step(std::int64_t number) {
    std::vector<std::int64_t> starts;
    const auto last = static_cast<double>(text_.held_out() - options_.context);
    for (std::int64_t i = 0; i < options_.batch; ++i)
      starts.push_back(
          static_cast<std::int64_t>(last * random(options_.seed, batches, number * options_.batch + i)));

    data_.reset();
    const auto loss = pipeline_.run(batch(starts), data_.when_final());  // []{P:dp}
    data_.reduce();
    data_.template add_tied<pp>(mesh_);
    data_.step(schedule_(number), data_.template clip<tpx::over<dp, pp, tp>>(options_.clip, mesh_));
    return tpx::redistribute<tpx::Invariant<dp>>(loss);
  }

  /// Stores all that the steps from number `step` on depend on.
  void save(std::int64_t step) { tpx::save_checkpoint(mesh_, options_.save, step, model_, data_, facts()); }

  /// Goes on from the newest checkpoint; the number of the next step.
  std::int64_t resume() {
    tpx::Checkpoint checkpoint = tpx::newest_checkpoint(mesh_, options_.resume);
    for (const auto& [key, value] : facts()) {
      const auto stored = checkpoint.facts().find(key);
      const std::string there = stored == checkpoint.facts().end() ? "none" : stored->second;
      if (there != value)
        throw tpx::Error("gpt_train: '" + checkpoint.path() + "' was stored with " + key + " " + there +
                         ", here it is " + value + ": other samples would follow");
    }
    if (checkpoint.step() >= options_.steps)
      throw tpx::Error("gpt_train: '" + checkpoint.path() + "' is of step " +
                       std::to_string(checkpoint.step()) + ", --steps are " + std::to_string(options_.steps) +
                       ": nothing is left to do");
    tpx::load_checkpoint(mesh_, checkpoint, model_, data_);
    return checkpoint.step();
  }

  /// Goes on as if so many steps had been made, where only the communication is asked for.
  void begin_at(std::int64_t step) { data_.set_steps(step); }

  /// Mean loss over at least 100,000 held-out characters, or all where there are fewer, without a tape. The
  /// last samples of a short text begin again at its start, so that every batch is full.
  double held_out_loss() {
    const std::int64_t length = text_.size() - text_.held_out(), context = options_.context;
    const std::int64_t characters_wanted = std::min<std::int64_t>(100'000, length);
    const std::int64_t per_batch = options_.batch * context;
    const std::int64_t rounds = (characters_wanted + per_batch - 1) / per_batch;
    double sum = 0;
    for (std::int64_t b = 0; b < rounds; ++b) {
      std::vector<std::int64_t> starts;
      for (std::int64_t i = 0; i < options_.batch; ++i)
        starts.push_back(text_.held_out() + (b * options_.batch + i) * context % (length - context));
      const auto samples = batch(starts);
      pipeline_.forward(samples, micro_batches_.count(), [&](const auto& y, int m) {
        sum += static_cast<double>(item(tpx::redistribute<tpx::Invariant<dp>>(model_.leave(y, samples, m))));
      });
    }
    tell(sum, tpx::Element::f64);
    return sum / static_cast<double>(rounds);
  }

  /// Text that the model continues by itself from a line break. The random numbers are the same on every mesh.
  std::string sample(std::int64_t length) {
    std::vector<std::int32_t> written{text_.id_of('\n')};
    const std::int64_t context = options_.context, vocabulary = text_.vocabulary();
    for (std::int64_t n = 0; n < length; ++n) {
      const auto size = static_cast<std::int64_t>(written.size());
      const std::int64_t seen = std::min(size, context), first = size - seen;
      // A row for each rank of dp, all the same; what follows the characters seen does not matter to them.
      const auto row =
          tpx::make_token_batch<Samples>(model_.mesh(), tpx::MicroBatches(mesh_.template size<dp>(), 1),
                                         context, [&](std::int64_t, std::int64_t at) {
                                           return at < seen ? written[static_cast<std::size_t>(first + at)] : 0;
                                         });
      std::int32_t next = 0;
      pipeline_.forward(row, 1, [&](const auto& y, int) {
        const std::vector<T> logits = gather(model_.logits(y));  // (dp, context, vocabulary)
        next = draw(&logits[static_cast<std::size_t>((seen - 1) * vocabulary)],
                    random(options_.seed, sampling, n));
      });
      tell(next, tpx::Element::i32);
      written.push_back(next);
    }
    std::string text;
    for (std::size_t i = 1; i < written.size(); ++i) text += text_.character(written[i]);
    return text;
  }

 private:
  /// Beside the step number, what says which samples a step draws: the position in the data and the state of
  /// the random numbers, which are keyed, not drawn in turn.
  tpx::CheckpointFacts facts() const {
    return {{"seed", std::to_string(options_.seed)},
            {"batch", std::to_string(options_.batch)},
            {"text", std::to_string(text_.size()) + " bytes of " + std::to_string(text_.classes()) + " kinds"}};
  }

  int stages() const { return mesh_.template size<pp>(); }

  /// Of its weights on this rank: what ZeRO's stage 3 is to gather at a time.
  std::int64_t bytes_of_layer() const {
    return 12 * options_.hidden * options_.hidden / mesh_.template size<tp>() * std::int64_t{sizeof(T)};
  }

  tpx::PipelineSchedule schedule_of(const Options& options) const {
    const tpx::PipelineKind kind = tpx::pipeline_kind(options.schedule);
    const int least = tpx::least_micro_batches(kind, stages());
    return tpx::make_pipeline_schedule(
        kind, stages(), options.micro_batches == 0 ? least : options.micro_batches, options.chunks);
  }
  tpx::LayerPlacement placement_of(const Options& options) const {
    const int parts = pipeline_schedule_.stages();
    return options.placement.empty() ? tpx::even_layers(options.layers, parts)
                                     : tpx::layer_placement(options.placement, options.layers, parts);
  }

  /// A row of the context's length from each start.
  auto batch(const std::vector<std::int64_t>& starts) const {
    return tpx::make_token_batch<Samples>(model_.mesh(), micro_batches_, options_.context,
                                          [this, starts](std::int64_t sample, std::int64_t at) {
                                            return text_[starts[static_cast<std::size_t>(sample)] + at];
                                          });
  }

  /// The last stage's number, on every stage.
  template <class Number>
  void tell(Number& number, tpx::Element element) const {
    if (stages() > 1) mesh_.template communicator<pp>().broadcast(&number, 1, element, stages() - 1);
  }

  /// A class with the probability that softmax(logits / temperature) gives it.
  std::int32_t draw(const T* logits, double at) const {
    const auto classes = static_cast<std::size_t>(text_.classes());
    const double largest = static_cast<double>(*std::max_element(logits, logits + classes));
    std::vector<double> up_to(classes);
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c)
      up_to[c] = sum += std::exp((static_cast<double>(logits[c]) - largest) / options_.temperature);
    const auto found = std::upper_bound(up_to.begin(), up_to.end() - 1, at * sum);
    return static_cast<std::int32_t>(found - up_to.begin());
  }

  Mesh mesh_;
  const Options& options_;
  const Text& text_;
  tpx::PipelineSchedule pipeline_schedule_;
  tpx::MicroBatches micro_batches_;
  Stage model_;
  tpx::Pipeline<pp, Mesh, Stage> pipeline_;
  tpx::DataParallel<dp, Stage> data_;
  tpx::CosineSchedule schedule_;
};

}  // namespace gpt
