// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>

namespace tpx::kernel {

/// The numbers of one step of AdamW.
struct AdamW {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  double correction1 = 1.0;  ///< 1 - beta1^step, steps counted from 1
  double correction2 = 1.0;  ///< 1 - beta2^step
};

namespace impl {

template <class T>
struct AdamWStep {
  T* value;
  const T* gradient;
  T* m;
  T* v;
  const T* gradient_scale;
  T beta1, rest1, beta2, rest2, keep, step, root, epsilon;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const {
    const T g = gradient_scale == nullptr ? gradient[i] : gradient[i] * *gradient_scale;
    const T first = beta1 * m[i] + rest1 * g, second = beta2 * v[i] + rest2 * g * g;
    m[i] = first;
    v[i] = second;
    value[i] = keep * value[i] - step * first / (math::sqrt(second) * root + epsilon);
  }
};

template <class T>
struct ClipFactor {
  const double* sum_squares;
  double largest_norm;
  T* factor;
  KOKKOS_FUNCTION void operator()(std::int64_t) const {
    const double ratio = largest_norm / (math::sqrt(*sum_squares) + 1e-6);
    *factor = ratio < 1.0 ? static_cast<T>(ratio) : T(1);
  }
};

template <class T>
struct ScaleInPlace {
  T* x;
  T factor;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const { x[i] *= factor; }
};

}  // namespace impl

/// x *= factor, n elements.
template <class T, class Exec>
void scale_in_place(const Exec& exec, T* x, std::int64_t n, T factor) {
  for_each(exec, "tpx::scale_in_place", n, impl::ScaleInPlace<T>{x, factor});
}

/// One step of AdamW with decoupled weight decay, n elements in place.
///
///   g = gradient * *gradient_scale,   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2
///   value = (1 - lr decay) value - lr (m / correction1) / (sqrt(v / correction2) + epsilon)
///
/// @param  gradient_scale  one element in the memory of `exec` (the clip factor), or null
/// @see    arXiv:1711.05101
template <class T, class Exec>
void adamw(const Exec& exec, std::int64_t n, T* value, const T* gradient, T* m, T* v, const AdamW& p,
           const T* gradient_scale = nullptr) {
  for_each(
      exec, "tpx::adamw", n,
      impl::AdamWStep<T>{value, gradient, m, v, gradient_scale, static_cast<T>(p.beta1),
                         static_cast<T>(1.0 - p.beta1), static_cast<T>(p.beta2), static_cast<T>(1.0 - p.beta2),
                         static_cast<T>(1.0 - p.learning_rate * p.weight_decay),
                         static_cast<T>(p.learning_rate / p.correction1),
                         static_cast<T>(1.0 / math::sqrt(p.correction2)), static_cast<T>(p.epsilon)});
}

/// *factor = min(1, largest_norm / (norm + 1e-6)), norm = sqrt(*sum_squares): what gradients are scaled by
/// so that their norm stays within `largest_norm`.
template <class T, class Exec>
void clip_factor(const Exec& exec, const double* sum_squares, double largest_norm, T* factor) {
  for_each(exec, "tpx::clip_factor", 1, impl::ClipFactor<T>{sum_squares, largest_norm, factor});
}

}  // namespace tpx::kernel
