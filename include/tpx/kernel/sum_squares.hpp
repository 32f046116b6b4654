// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstdint>

#include <tpx/kernel/strided.hpp>

/// Euclidean norms of many walks through an array, in steps: what other ranks have is added between the first
/// and the second.
namespace tpx::kernel {
namespace impl {

template <class T>
struct SumSquaresStrided {
  const T* src;
  StrideMap kept, summed;
  double* dst;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t i) const {
    const T* at = src + kept.offset(i);
    const StrideMap& map = summed;
    const std::int64_t step = map.ndim == 1 ? map.stride[0] : 0;
    const bool along_one = map.ndim == 1;
    const double total = group_sum<double>(group, map.size(), [&](std::int64_t s) {
      const double v = static_cast<double>(at[along_one ? s * step : map.offset(s)]);
      return v * v;
    });
    if (group.lane() == 0) dst[i] = total;
  }
};

template <class T>
struct SquareRoot {
  const double* x;
  T* y;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    using std::sqrt;
    y[i] = static_cast<T>(sqrt(x[i]));
  }
};

template <class T>
struct NormGradient {
  const T* x;
  const T* y;
  const T* dy;
  StrideMap map;
  T* dx;
  bool accumulate;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const std::int64_t at = map.offset(i);
    const T gradient = y[at] == T(0) ? T(0) : dy[at] * (x[i] / y[at]);
    dx[i] = accumulate ? dx[i] + gradient : gradient;
  }
};

}  // namespace impl

/// dst[i] = the sum of the squares along `summed` from the i-th element of the walk `kept`, in double: squares
/// of floats overflow and vanish where their root would not.
///
/// @post   deterministic: one order whatever the number of threads
template <class T, class Exec>
void sum_squares_strided(const Exec& exec, const T* src, const StrideMap& kept, const StrideMap& summed,
                         double* dst) {
  for_groups(exec, "tpx::sum_squares_strided", kept.size(), impl::SumSquaresStrided<T>{src, kept, summed, dst});
}

/// y = sqrt(x), n elements.
template <class T, class Exec>
void square_root(const Exec& exec, const double* x, T* y, std::int64_t n) {
  for_each(exec, "tpx::square_root", n, impl::SquareRoot<T>{x, y});
}

/// dx (+)= dy x / y where y is not 0, else 0; y and dy are repeated by the map.
template <class T, class Exec>
void norm_gradient(const Exec& exec, const T* x, const T* y, const T* dy, const StrideMap& map, T* dx,
                   bool accumulate = false) {
  for_each(exec, "tpx::norm_gradient", map.size(), impl::NormGradient<T>{x, y, dy, map, dx, accumulate});
}

}  // namespace tpx::kernel
