// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <tpx/io/model_settings.hpp>
#include <tpx/io/safetensors.hpp>
#include <tpx/nn/file_weights.hpp>
#include <tpx/train/gradients.hpp>

#include "nn_test.hpp"

/// Models of the families that are published, with random weights, against what transformers computes with
/// them: tests/references/random_models.py.
namespace tpx::test {

/// A folder of tests/references/data.
struct ModelCase {
  explicit ModelCase(const std::string& name)
      : folder(std::string(TPX_REFERENCE_DATA "/") + name),
        settings(folder + "/config.json"),
        weights(folder + "/model.safetensors"),
        expected(folder + "/expected.safetensors") {}

  std::string folder;
  ModelSettings settings;
  Safetensors weights, expected;

  Values values(const std::string& name) const { return read_whole<double>(expected.at(name)); }
  double loss() const { return values("loss")[0]; }

  /// Token ids and the like, the batch over dp.
  template <class Mesh>
  auto tokens(const Mesh& mesh, const std::string& name) const {
    return load<std::int32_t, 2>(mesh, layout<Shard<0, Balanced, axes::dp>>, expected, name);
  }
  /// Of each sample, how many of its mask are 1.
  template <class Mesh>
  auto lengths(const Mesh& mesh) const {
    const auto mask = read_whole<std::int32_t>(expected.at("attention_mask"));
    const std::int64_t batch = expected.at("attention_mask").shape[0],
                       n = static_cast<std::int64_t>(mask.size()) / batch;
    return from_function<std::int32_t>(mesh, layout<Shard<0, Balanced, axes::dp>>, {batch},
                                       [&](const std::array<std::int64_t, 1>& at) {
                                         std::int32_t ones = 0;
                                         for (std::int64_t i = 0; i < n; ++i)
                                           ones += mask[static_cast<std::size_t>(at[0] * n + i)];
                                         return ones;
                                       });
  }
};

/// How many elements of parameters have a gradient that is Partial over tp: what one all-reduce sums there.
template <class Model>
std::int64_t partial_over_tp(Model& model) {
  std::int64_t n = 0;
  model.visit([&]<class P>(P& p) {
    constexpr int axis = detail::index_of<axes::tp, typename P::mesh_type::axes>;
    if constexpr (P::spec[axis].kind == tpx::Kind::replicate) n += p.local_count();
  });
  return n;
}

/// Loss and the gradient of every parameter. The expected gradients lie in a file as the weights do, and are
/// read as a second model's.
///
/// @param loss_of  gives the loss of model on a tape
/// @param forget   is called with all gradients by name, to take out what is not to be compared
template <template <class, class, class> class Model, class Plan, class Mesh, class Config, class Loss,
          class Forget = void (*)(std::map<std::string, Values>&)>
void check_training(
    const ModelCase& c, const Mesh& mesh, const Config& config, const FileWeights& weights,
    const FileWeights& gradients, Loss&& loss_of, Forget forget = [](std::map<std::string, Values>&) {}) {
  auto model = parallelize<Model, double, Plan>(mesh, config, weights);
  auto expected = parallelize<Model, double, Plan>(mesh, config, gradients);
  Tape tape(mesh);
  const auto loss = loss_of(model, tape);
  backward(loss);
  CHECK(std::fabs(item(redistribute<Invariant<axes::dp>>(detach(loss))) - c.loss()) <= 1e-12 * c.loss());
  std::map<std::string, Values> values;
  expected.visit([&](auto& p) { values[p.track().state->name] = whole(value(p)); });
  std::map<std::string, Values> found = gradients_of(model);
  forget(values);
  forget(found);
  CHECK(gradients_off(found, values) <= nn_tolerance);
}

}  // namespace tpx::test
