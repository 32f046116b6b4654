// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <tpx/io/checkpoint.hpp>
#include <tpx/tpx.hpp>
#include <tpx/train/gpt_trainer.hpp>
#include <tpx/train/layer_costs.hpp>
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

/// @param  mesh  <dp, pp, tp>
/// @param  T     the elements
template <class T, class Mesh>
tpx::GptTrainerOptions trainer_options(const Mesh& mesh, const Options& options) {
  tpx::GptTrainerOptions all;
  all.batch = options.batch;
  all.schedule = tpx::pipeline_kind(options.schedule);
  all.micro_batches = options.micro_batches;
  all.chunks = options.chunks;
  if (!options.placement.empty())
    all.placement = tpx::layer_placement(options.placement, options.layers,
                                         tpx::make_pipeline_schedule(all, mesh.template size<pp>()).stages());
  all.data = {.zero = options.zero,
              .bucket_bytes = options.bucket_bytes,
              .sync_every = options.sync_every,
              .adamw = {.beta2 = 0.99, .weight_decay = options.weight_decay}};
  all.clip = options.clip;
  return all;
}

/// What a layer, the embedding and the output layer cost, each with a micro-batch as in training.
template <class T, class Mesh>
tpx::LayerCosts costs_of_layers(const Mesh& mesh, const Options& options, const Text& text) {
  using Trained = tpx::GptTrainer<T, Mesh>;
  tpx::GptConfig config = config_of(options, text);
  config.layers = 1;
  const typename Trained::Model model(tpx::stage_mesh<pp>(mesh), config,
                                      tpx::make_pipeline_schedule(tpx::PipelineKind::gpipe, 1, 1),
                                      tpx::even_layers(1, 1), 0);
  const int least = tpx::least_micro_batches(tpx::pipeline_kind(options.schedule), mesh.template size<pp>());
  const tpx::MicroBatches micro_batches(options.batch,
                                        options.micro_batches == 0 ? least : options.micro_batches);
  return tpx::measure_layers(mesh, model,
                             tpx::make_token_batch<typename Trained::Samples>(
                                 model.mesh(), micro_batches, options.context,
                                 [&](std::int64_t, std::int64_t at) { return text[at]; }));
}

/// A GPT in training and its text, on a mesh <dp, pp, tp>; on an abstract one nothing is computed and all
/// communication is noted.
template <class Mesh, class T>
class Trainer {
 public:
  /// The last argument is an element, to say which.
  Trainer(const Mesh& mesh, const Options& options, const Text& text, T)
      : options_(options),
        text_(text),
        gpt_(mesh, config_of(options, text), trainer_options<T>(mesh, options)),
        schedule_{options.learning_rate, options.learning_rate / 10, options.warm_up, options.steps} {}

  /// Number of the whole model's parameters.
  std::int64_t parameters() { return gpt_.parameters(); }
  std::int64_t tokens_per_step() const { return options_.batch * options_.context; }

  /// One update from samples that every mesh draws alike; the mean loss over all ranks.
  auto step(std::int64_t number) {
    std::vector<std::int64_t> starts;
    const auto last = static_cast<double>(text_.held_out() - options_.context);
    for (std::int64_t i = 0; i < options_.batch; ++i)
      starts.push_back(
          static_cast<std::int64_t>(last * random(options_.seed, batches, number * options_.batch + i)));
    return gpt_.step(schedule_(number), from(starts));
  }

  /// After the last step: one model, where ranks have averaged theirs now and then.
  void finish() { gpt_.data().average(); }

  /// Stores all that the steps from number `step` on depend on.
  void save(std::int64_t step) {
    tpx::save_checkpoint(gpt_.mesh(), options_.save, step, gpt_.model(), gpt_.data(), facts());
  }

  /// Goes on from the newest checkpoint; the number of the next step.
  std::int64_t resume() {
    tpx::Checkpoint checkpoint = tpx::newest_checkpoint(gpt_.mesh(), options_.resume);
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
    tpx::load_checkpoint(gpt_.mesh(), checkpoint, gpt_.model(), gpt_.data());
    return checkpoint.step();
  }

  /// Goes on as if so many steps had been made, where only the communication is asked for.
  void begin_at(std::int64_t step) { gpt_.data().set_steps(step); }

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
      sum += gpt_.evaluate(from(starts));
    }
    return sum / static_cast<double>(rounds);
  }

  /// Text that the model continues by itself from a line break. The random numbers are the same on every mesh.
  std::string sample(std::int64_t length) {
    std::vector<std::int32_t> written{text_.id_of('\n')};
    const std::int64_t context = options_.context, vocabulary = text_.vocabulary();
    const int ranks = gpt_.mesh().template size<dp>();
    for (std::int64_t n = 0; n < length; ++n) {
      const auto size = static_cast<std::int64_t>(written.size());
      const std::int64_t seen = std::min(size, context), first = size - seen;
      // A row for each rank of dp, all the same; what follows the characters seen does not matter to them.
      const auto row = tpx::make_token_batch<typename tpx::GptTrainer<T, Mesh>::Samples>(
          gpt_.model().mesh(), tpx::MicroBatches(ranks, 1), context, [&](std::int64_t, std::int64_t at) {
            return at < seen ? written[static_cast<std::size_t>(first + at)] : 0;
          });
      std::int32_t next = 0;
      gpt_.pipeline().forward(row, 1, [&](const auto& y, int) {
        const std::vector<T> logits = gather(gpt_.model().logits(y));  // (dp, context, vocabulary)
        next = draw(&logits[static_cast<std::size_t>((seen - 1) * vocabulary)],
                    random(options_.seed, sampling, n));
      });
      gpt_.tell(next, tpx::Element::i32);
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
            {"text", text_.describe()}};
  }

  /// A row of the context's length from each start.
  auto from(const std::vector<std::int64_t>& starts) const {
    return [this, starts](std::int64_t sample, std::int64_t at) {
      return text_[starts[static_cast<std::size_t>(sample)] + at];
    };
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

  const Options& options_;
  const Text& text_;
  tpx::GptTrainer<T, Mesh> gpt_;
  tpx::CosineSchedule schedule_;
};

}  // namespace gpt
