// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/optimizer.hpp>
#include <tpx/layout/tensor_part.hpp>
#include <tpx/train/clip.hpp>
#include <tpx/train/gradients.hpp>

namespace tpx {

/// What AdamW keeps the same over all steps.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;  ///< of the parameters that decay: weights, not biases and gains
};

namespace detail {

/// Step number `steps`, counted from 1, for a kernel; the weight decay is a parameter's own.
inline kernel::AdamW adamw_step(const AdamWOptions& options, double learning_rate, std::int64_t steps) {
  kernel::AdamW p;
  p.learning_rate = learning_rate;
  p.beta1 = options.beta1;
  p.beta2 = options.beta2;
  p.epsilon = options.epsilon;
  p.correction1 = 1 - std::pow(options.beta1, static_cast<double>(steps));
  p.correction2 = 1 - std::pow(options.beta2, static_cast<double>(steps));
  return p;
}

template <class T, class Mesh>
Buffer zero_buffer(const Mesh& mesh, std::int64_t count) {
  Buffer memory = allocate<T>(mesh, count);
  mesh.context().launch({0, count * std::int64_t{sizeof(T)}},
                        [&](const auto& exec) { kernel::fill(exec, memory.template as<T>(), count, T(0)); });
  return memory;
}

}  // namespace detail

/// AdamW on each rank's shards: the state of a parameter is laid out as the parameter is.
///
///   g = factor * gradient                    m = beta1 m + (1 - beta1) g       v = beta2 v + (1 - beta2) g^2
///   value = (1 - rate decay) value - rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
///
/// @comm   none: gradients come reduced
/// @see    arXiv:1711.05101
template <class Model>
class AdamW {
 public:
  using T = typename Model::element_type;
  using Mesh = typename Model::mesh_type;

  /// The options; the state is made at the first step.
  explicit AdamW(const Model&, AdamWOptions options = {}) : options_(options) {}

  /// Updates every parameter, in place.
  /// @pre    all steps are of one model
  template <class Norm>
  void step(const ReducedGradients<Model>& gradients, double learning_rate, const Norm& clipped) {
    update(gradients, learning_rate, clipped.factor());
  }
  void step(const ReducedGradients<Model>& gradients, double learning_rate) {
    update(gradients, learning_rate, nullptr);
  }
  template <class... Norm>
  void step(const Gradients<Model>&, double, const Norm&...) {
    constexpr bool said = (std::is_same_v<Norm, refused> || ...);
    detail::gradients_are_reduced_before_use<said, detail::model<Model>, Norm...>();
  }
  template <class... Norm>
  void step(refused, double, const Norm&...) {}

  /// Number of steps so far.
  std::int64_t steps() const { return steps_; }
  /// As if so many had been made.
  void set_steps(std::int64_t steps) { steps_ = steps; }

  /// Calls f(part, memory) for the moments of each parameter, which are made here if no step was: to store
  /// them, or to overwrite them.
  template <class F>
  void visit_state(Model& model, F&& f) {
    if (moments_.empty())
      model.visit([&](auto& p) {
        const std::int64_t count = p.local_count();
        moments_.push_back({detail::zero_buffer<T>(p.mesh(), count), detail::zero_buffer<T>(p.mesh(), count)});
      });
    std::size_t i = 0;
    model.visit([&](auto& p) {
      TensorPart part = tensor_part("", element_v<T>, p.distribution(), p.mesh().grid());
      TPX_EXPECTS(i < moments_.size() && moments_[i].first.bytes() == part.count * std::int64_t{sizeof(T)},
                  p.track().state->name, "an optimizer's state is visited with the model whose state it has");
      part.name = p.track().state->name + ":adamw.first";
      f(std::as_const(part), moments_[i].first.template as<T>());
      part.name = p.track().state->name + ":adamw.second";
      f(std::as_const(part), moments_[i].second.template as<T>());
      ++i;
    });
  }

 private:
  struct Moments {
    Buffer first;
    Buffer second;
  };

  void update(const ReducedGradients<Model>& gradients, double learning_rate, const T* factor) {
    const detail::Region region("tpx::adamw");
    const Mesh& mesh = gradients.mesh();
    const auto& slots = gradients.slots();
    if (moments_.empty())
      for (const detail::ParameterSlot& slot : slots)
        moments_.push_back(
            {detail::zero_buffer<T>(mesh, slot.count), detail::zero_buffer<T>(mesh, slot.count)});
    bool same = moments_.size() == slots.size();
    for (std::size_t i = 0; same && i < slots.size(); ++i)
      same = moments_[i].first.bytes() == slots[i].count * std::int64_t{sizeof(T)};
    TPX_EXPECTS(same, steps_, "an optimizer steps the model whose state it has");
    ++steps_;
    kernel::AdamW p = detail::adamw_step(options_, learning_rate, steps_);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const detail::ParameterSlot& slot = slots[i];
      p.weight_decay = slot.state->decays ? options_.weight_decay : 0;
      mesh.context().launch({14 * slot.count, 7 * slot.count * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::adamw(exec, slot.count, slot.value.template as<T>(),
                      static_cast<const T*>(slot.state->gradient.template as<T>()),
                      moments_[i].first.template as<T>(), moments_[i].second.template as<T>(), p, factor);
      });
    }
  }

  AdamWOptions options_;
  std::vector<Moments> moments_;
  std::int64_t steps_ = 0;
};

template <class Model>
requires(!detail::Trained<Model>) class AdamW<Model> : public detail::trainer_refused<Model> {
  using detail::trainer_refused<Model>::trainer_refused;
};

template <class Model>
AdamW(const Model&, AdamWOptions = {}) -> AdamW<Model>;

}  // namespace tpx
