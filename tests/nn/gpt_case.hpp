// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <tpx/nn/gpt.hpp>

#include "nn_test.hpp"

namespace tpx::test {

/// A small GPT, a batch, and what the plain loops say of its loss and gradients. Its extents divide by 1, 2,
/// 3 and 4; its last classes are padding.
struct GptCase {
  static constexpr std::int64_t batch = 12;
  GptConfig config = [] {
    GptConfig c;
    c.vocabulary = 36;
    c.classes = 31;
    c.context = 12;
    c.layers = 2;
    c.hidden = 24;
    c.heads = 12;
    c.seed = 5;
    return c;
  }();
  model::Parameters parameters{};  // filled in by the first mesh, the same on each
  double loss = 0;

  static std::int32_t id(std::int64_t b, std::int64_t s) {
    return static_cast<std::int32_t>((b * 7 + s * s * 3 + 5) % 31);
  }
  static std::int32_t target(std::int64_t b, std::int64_t s) {
    return static_cast<std::int32_t>((b * b + s * 11 + 2) % 31);
  }

  template <class F, class Mesh>
  auto tokens(const Mesh& mesh, F&& f) const {
    return from_function<std::int32_t>(mesh, layout<Shard<0, axes::dp>>, {batch, config.context},
                                       [&](const std::array<std::int64_t, 2>& at) { return f(at[0], at[1]); });
  }

  /// Gives the model this case's parameters, and finds the expected loss and gradients the first time.
  template <class Model>
  void prepare(Model& model) {
    model::Parameters given = set_parameters(model, 0.3);
    if (!parameters.value.empty()) {
      CHECK(given.value == parameters.value);
      return;
    }
    parameters = given;
    std::vector<std::int32_t> ids, targets;
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t s = 0; s < config.context; ++s) {
        ids.push_back(id(b, s));
        targets.push_back(target(b, s));
      }
    }
    loss = model::gpt_loss(parameters, ids, targets, batch, config.context, config.layers, config.hidden,
                           config.heads, config.mlp_features(), config.vocabulary, config.classes);
  }

  /// The loss over all ranks.
  template <class Model>
  double loss_of(const Model& model) const {
    const auto mine = model.loss(tokens(model.mesh(), id), tokens(model.mesh(), target));
    return item(redistribute<Invariant<axes::dp>>(mine));
  }
};

}  // namespace tpx::test
