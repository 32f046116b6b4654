// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <tpx/tpx.hpp>

#include "options.hpp"
#include "text.hpp"

namespace gpt {

using tpx::axes::dp;
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
  return config;
}

/// The model, what trains it and the text, on a mesh <dp, tp>; on an abstract one nothing is computed and
/// all communication is noted.
///
///   ids  i32 [batch@dp,context]     targets  the same, one character later
template <class Mesh, class T>
class Trainer {
 public:
  /// The last argument is an element, to say which.
  Trainer(const Mesh& mesh, const Options& options, const Text& text, T)
      : mesh_(mesh),
        options_(options),
        text_(text),
        model_(mesh, config_of(options, text)),
        gradients_(model_),
        optimizer_(model_, {.beta2 = 0.99, .weight_decay = options.weight_decay}),
        schedule_{options.learning_rate, options.learning_rate / 10, options.warm_up, options.steps},
        tape_(mesh) {}

  /// Number of the whole model's parameters.
  std::int64_t parameters() {
    std::int64_t n = 0;
    model_.visit([&](const auto& p) { n += p.shape().count(); });
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

    gradients_.reset();
    tape_.clear();
    const auto loss = model_.loss(tape_.input(characters(starts, 0)), characters(starts, 1));  // []{P:dp}
    backward(loss);
    const auto reduced = gradients_.template reduce<tpx::over<dp>>();
    const auto clipped = tpx::clip_grad_norm<tpx::over<dp, tp>>(reduced, model_, options_.clip);
    optimizer_.step(reduced, schedule_(number), clipped);
    return tpx::redistribute<tpx::Invariant<dp>>(tpx::detach(loss));
  }

  /// Stores all that the steps from number `step` on depend on.
  void save(std::int64_t step) {
    tpx::save_checkpoint(mesh_, options_.save, step, model_, optimizer_, facts());
  }

  /// Goes on from the newest checkpoint; the number of the next step.
  std::int64_t resume() {
    tpx::Checkpoint checkpoint = tpx::newest_checkpoint(mesh_, options_.resume);
    for (const auto& [key, value] : facts()) {
      const auto stored = checkpoint.facts().find(key);
      const std::string there = stored == checkpoint.facts().end() ? "none" : stored->second;
      if (there != value)
        throw tpx::Error("gpt_train: '" + checkpoint.path() + "' was stored with " + key + " " + there + ", here it is " +
                         value + ": other samples would follow");
    }
    if (checkpoint.step() >= options_.steps)
      throw tpx::Error("gpt_train: '" + checkpoint.path() + "' is of step " + std::to_string(checkpoint.step()) +
                       ", --steps are " + std::to_string(options_.steps) + ": nothing is left to do");
    tpx::load_checkpoint(mesh_, checkpoint, model_, optimizer_);
    return checkpoint.step();
  }

  /// Mean loss over at least 100,000 held-out characters, or all where there are fewer, without a tape. The
  /// last samples of a short text begin again at its start, so that every batch is full.
  double held_out_loss() const {
    const std::int64_t length = text_.size() - text_.held_out(), context = options_.context;
    const std::int64_t characters_wanted = std::min<std::int64_t>(100'000, length);
    const std::int64_t per_batch = options_.batch * context;
    const std::int64_t rounds = (characters_wanted + per_batch - 1) / per_batch;
    double sum = 0;
    for (std::int64_t b = 0; b < rounds; ++b) {
      std::vector<std::int64_t> starts;
      for (std::int64_t i = 0; i < options_.batch; ++i)
        starts.push_back(text_.held_out() + (b * options_.batch + i) * context % (length - context));
      const auto loss = model_.loss(characters(starts, 0), characters(starts, 1));
      sum += static_cast<double>(item(tpx::redistribute<tpx::Invariant<dp>>(loss)));
    }
    return sum / static_cast<double>(rounds);
  }

  /// Text that the model continues by itself from a line break. The random numbers are the same on every mesh.
  std::string sample(std::int64_t length) const {
    std::vector<std::int32_t> written{text_.id_of('\n')};
    const std::int64_t context = options_.context, vocabulary = text_.vocabulary();
    for (std::int64_t n = 0; n < length; ++n) {
      const auto size = static_cast<std::int64_t>(written.size());
      const std::int64_t seen = std::min(size, context), first = size - seen;
      // A row for each rank of dp, all the same; what follows the characters seen does not matter to them.
      const auto ids = tpx::from_function<std::int32_t>(
          mesh_, tpx::layout<tpx::Shard<0, dp>>, {mesh_.template size<dp>(), context},
          [&](const auto& i) { return i[1] < seen ? written[static_cast<std::size_t>(first + i[1])] : 0; });
      const std::vector<T> logits = gather(model_.logits(ids));  // (dp, context, vocabulary)
      written.push_back(
          draw(&logits[static_cast<std::size_t>((seen - 1) * vocabulary)], random(options_.seed, sampling, n)));
    }
    std::string text;
    for (std::size_t i = 1; i < written.size(); ++i) text += text_.character(written[i]);
    return text;
  }

 private:
  /// Beside the step number, what says which samples a step draws: the position in the data and the state of the
  /// random numbers, which are keyed, not drawn in turn.
  tpx::CheckpointFacts facts() const {
    return {{"seed", std::to_string(options_.seed)},
            {"batch", std::to_string(options_.batch)},
            {"text", std::to_string(text_.size()) + " bytes of " + std::to_string(text_.classes()) + " kinds"}};
  }

  /// A row of the context's length from each start, `shift` characters later.
  auto characters(const std::vector<std::int64_t>& starts, std::int64_t shift) const {
    return tpx::from_function<std::int32_t>(
        mesh_, tpx::layout<tpx::Shard<0, dp>>, {options_.batch, options_.context},
        [&](const auto& i) { return text_[starts[static_cast<std::size_t>(i[0])] + i[1] + shift]; });
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
  tpx::Gpt<T, Mesh, tp> model_;
  tpx::Gradients<tpx::Gpt<T, Mesh, tp>> gradients_;
  tpx::AdamW<tpx::Gpt<T, Mesh, tp>> optimizer_;
  tpx::CosineSchedule schedule_;
  tpx::Tape<Mesh> tape_;
};

}  // namespace gpt
