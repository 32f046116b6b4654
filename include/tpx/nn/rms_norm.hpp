// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>

#include <tpx/nn/weights.hpp>
#include <tpx/ops/rms_norm.hpp>

namespace tpx {

/// RMS norm with its gain.
///
///   x, y  [...,h]     gain  [h] as Placement
///
/// @tparam Placement  of the gain on the tensor axis: Invariant<tp> beside Invariant activations, Replicate<tp>
///                    beside activations that are split over another dim (sequence parallel)
/// @comm   none, forward or backward
template <class T, class Mesh, class Placement>
class RmsNorm {
 public:
  template <class Weights>
  RmsNorm(const Mesh& mesh, const Weights& weights, const std::string& name, std::int64_t features,
          double epsilon)
      : gain_(weights.template vector<T, 1, Placement>(mesh, name + ".weight", {features}, T(1))),
        epsilon_(epsilon) {}

  template <class X>
  auto operator()(const X& x) const {
    return rms_norm(x, gain_, epsilon_);
  }

  template <class F>
  void visit(F&& f) {
    f(gain_);
  }

 private:
  Parameter<T, 1, parameter_layout_t<Mesh, Placement>, Mesh> gain_;
  double epsilon_;
};

}  // namespace tpx
