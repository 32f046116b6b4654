// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/nn/gpt.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/host_copy.hpp>
#include <tpx/tensor/make_mesh.hpp>
#include <tpx/train/adamw.hpp>
#include <tpx/train/clip.hpp>
#include <tpx/train/gradients.hpp>
#include <tpx/train/schedule.hpp>

/// A small GPT in training, the same on every mesh <dp, tp>.
namespace tpx::test {

using axes::dp;
using axes::tp;

/// Divides by 1, 2, 3 and 4; three of the classes are padding.
inline GptConfig small_gpt() {
  GptConfig config;
  config.vocabulary = 48;
  config.classes = 45;
  config.context = 16;
  config.layers = 2;
  config.hidden = 48;
  config.heads = 12;
  config.seed = 11;
  return config;
}

inline constexpr std::int64_t small_batch = 12;

inline CosineSchedule small_rate() { return {3e-3, 3e-4, 10, 50}; }

/// Sequences with a rule and exceptions to it, `shift` characters later.
template <class Mesh>
auto small_characters(const Mesh& mesh, std::int64_t step, std::int64_t shift) {
  return from_function<std::int32_t>(
      mesh, layout<Shard<0, dp>>, {small_batch, small_gpt().context}, [=](const auto& i) {
        const std::int64_t at = i[1] + shift;
        return (7 * i[0] + 3 * at + at * at % 5 + 5 * step) % small_gpt().classes;
      });
}

template <class Mesh, class T>
class Training {
 public:
  Training(const Mesh& mesh, T, double largest_norm = 1)
      : mesh_(mesh),
        model_(mesh, small_gpt()),
        gradients_(model_),
        optimizer_(model_),
        tape_(mesh),
        largest_(largest_norm) {}

  Gpt<T, Mesh, tp>& model() { return model_; }
  Gradients<Gpt<T, Mesh, tp>>& gradients() { return gradients_; }
  AdamW<Gpt<T, Mesh, tp>>& optimizer() { return optimizer_; }

  auto characters(std::int64_t step, std::int64_t shift) const { return small_characters(mesh_, step, shift); }

  /// Forward and backward, `rounds` times the same batch; the loss of one.
  auto accumulate(std::int64_t step, int rounds = 1) {
    gradients_.reset();
    auto loss = [&] {
      tape_.clear();
      const auto l = model_.loss(tape_.input(characters(step, 0)), characters(step, 1));
      backward(l);
      return detach(l);
    };
    for (int r = 1; r < rounds; ++r) loss();
    return loss();
  }

  auto reduce() { return gradients_.template reduce<over<dp>>(); }
  auto clip(const ReducedGradients<Gpt<T, Mesh, tp>>& reduced) {
    return clip_grad_norm<over<dp, tp>>(reduced, model_, largest_);
  }

  auto step(std::int64_t number) {
    const auto loss = accumulate(number);
    const auto reduced = reduce();
    const auto clipped = clip(reduced);
    optimizer_.step(reduced, schedule_(number), clipped);
    return redistribute<Invariant<dp>>(loss);
  }

  std::vector<double> losses(std::int64_t steps) {
    std::vector<double> all;
    for (std::int64_t i = 0; i < steps; ++i) all.push_back(static_cast<double>(item(step(i))));
    return all;
  }

  /// Every parameter whole, in the order of the model.
  std::vector<std::vector<T>> parameters() {
    std::vector<std::vector<T>> all;
    model_.visit([&](const auto& p) { all.push_back(gather(value(p))); });
    return all;
  }

 private:
  Mesh mesh_;
  Gpt<T, Mesh, tp> model_;
  Gradients<Gpt<T, Mesh, tp>> gradients_;
  AdamW<Gpt<T, Mesh, tp>> optimizer_;
  CosineSchedule schedule_ = small_rate();
  Tape<Mesh> tape_;
  double largest_;
};

/// The same on one rank, without MPI.
template <class T>
auto train_alone(double largest_norm = 1) {
  const auto mesh = make_mesh<dp, tp>(comm::Self{}, {1, 1});
  return Training(mesh, T(), largest_norm);
}

/// The largest relative difference.
inline double drift(const std::vector<double>& losses, const std::vector<double>& expected) {
  double largest = losses.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < losses.size() && i < expected.size(); ++i) {
    const double off = std::fabs(losses[i] - expected[i]) / std::fabs(expected[i]);
    if (!(off <= largest)) largest = off;
  }
  return largest;
}

template <class T>
inline constexpr double allowed_drift = std::is_same_v<T, float> ? 1e-4 : 1e-10;

}  // namespace tpx::test
