// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/group.hpp>

/// The squared distance of two arrays.
namespace tpx::kernel {
namespace impl {

template <class T>
struct SumSquaredDifference {
  const T* x;
  const T* y;
  std::int64_t n;
  double factor;
  T* out;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t) const {
    const T *a = x, *b = y;
    const double total = group_sum<double>(group, n, [=](std::int64_t i) {
      const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      return difference * difference;
    });
    if (group.lane() == 0) *out = static_cast<T>(factor * total);
  }
};

template <class T>
struct DifferenceGradient {
  const T* x;
  const T* y;
  const T* dloss;
  T factor;
  T* dx;
  bool accumulate;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const {
    const T gradient = factor * *dloss * (x[i] - y[i]);
    dx[i] = accumulate ? dx[i] + gradient : gradient;
  }
};

}  // namespace impl

/// *out = factor times the sum of (x - y)^2 over n elements, added in double.
///
/// @post   deterministic: one order whatever the number of threads
template <class T, class Exec>
void sum_squared_difference(const Exec& exec, const T* x, const T* y, std::int64_t n, double factor, T* out) {
  for_groups(exec, "tpx::sum_squared_difference", 1, impl::SumSquaredDifference<T>{x, y, n, factor, out});
}

/// dx (+)= factor *dloss (x - y), n elements.
///
/// @param  dloss  one element in the memory of `exec`
template <class T, class Exec>
void difference_gradient(const Exec& exec, const T* x, const T* y, const T* dloss, double factor, T* dx,
                         std::int64_t n, bool accumulate = false) {
  for_each(exec, "tpx::difference_gradient", n,
           impl::DifferenceGradient<T>{x, y, dloss, static_cast<T>(factor), dx, accumulate});
}

}  // namespace tpx::kernel
