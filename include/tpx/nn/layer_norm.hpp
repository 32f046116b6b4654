// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>

#include <tpx/nn/init.hpp>
#include <tpx/ops/layer_norm.hpp>

namespace tpx {

/// Layer norm with its gain and shift.
///
///   x, y  [...,h]     gamma, beta  [h] as Placement
///
/// @tparam Placement  of gamma and beta on the tensor axis: Invariant<tp> beside Invariant activations,
///                    Replicate<tp> beside activations that are split over another dim (sequence parallel)
/// @comm   none, forward or backward
template <class T, class Mesh, class Placement>
class LayerNorm {
 public:
  using layout = parameter_layout_t<Mesh, Placement>;

  LayerNorm(const Mesh& mesh, const std::string& name, std::int64_t features, double epsilon = 1e-5)
      : gamma_(make_constant<T, Placement>(mesh, name + ".weight", {features}, T(1))),
        beta_(make_constant<T, Placement>(mesh, name + ".bias", {features}, T(0))),
        epsilon_(epsilon) {}

  /// As `weights` has it.
  template <class Weights>
  LayerNorm(const Mesh& mesh, const Weights& weights, const std::string& name, std::int64_t features,
            double epsilon)
      : gamma_(weights.template vector<T, 1, Placement>(mesh, name + ".weight", {features}, T(1))),
        beta_(weights.template vector<T, 1, Placement>(mesh, name + ".bias", {features}, T(0))),
        epsilon_(epsilon) {}

  template <class X>
  auto operator()(const X& x) const {
    return layer_norm(x, gamma_, beta_, epsilon_);
  }

  template <class F>
  void visit(F&& f) {
    f(gamma_);
    f(beta_);
  }

 private:
  Parameter<T, 1, layout, Mesh> gamma_;
  Parameter<T, 1, layout, Mesh> beta_;
  double epsilon_;
};

}  // namespace tpx
