// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace tpx {

/// A learning rate that rises linearly, then falls along half a cosine.
///
///   step < warm_up :  peak (step + 1) / warm_up
///   after          :  last + (peak - last) (1 + cos(pi t)) / 2,   t = (step - warm_up) / (steps - warm_up)
///
/// @see    arXiv:1608.03983
struct CosineSchedule {
  double peak = 1e-3;
  double last = 0;
  std::int64_t warm_up = 0;
  std::int64_t steps = 1;

  /// Rate of step number `step`, counted from 0.
  double operator()(std::int64_t step) const {
    if (step < warm_up) return peak * static_cast<double>(step + 1) / static_cast<double>(warm_up);
    if (step >= steps) return last;
    const double t = static_cast<double>(step - warm_up) / static_cast<double>(steps - warm_up);
    return last + (peak - last) * (1 + std::cos(std::numbers::pi * t)) / 2;
  }
};

}  // namespace tpx
