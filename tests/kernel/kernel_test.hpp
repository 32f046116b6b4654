// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>
#include <Kokkos_Core.hpp>

#include "../support/reference.hpp"

/// What the tests of the kernels share. Buffers are ordinary memory: these tests run on the host's spaces.
namespace kernel_test {

/// A space and an element type, for typed tests.
template <class T, class Space>
struct On {
  using value_type = T;
  using space = Space;
};

#if defined(KOKKOS_ENABLE_SERIAL) && defined(KOKKOS_ENABLE_OPENMP)
#define TPX_KERNEL_TEST_TYPES                                                      \
  kernel_test::On<float, Kokkos::Serial>, kernel_test::On<double, Kokkos::Serial>, \
      kernel_test::On<float, Kokkos::OpenMP>, kernel_test::On<double, Kokkos::OpenMP>
#else
#define TPX_KERNEL_TEST_TYPES                                \
  kernel_test::On<float, Kokkos::DefaultHostExecutionSpace>, \
      kernel_test::On<double, Kokkos::DefaultHostExecutionSpace>
#endif

/// Numbers in (-1, 1) that repeat for a seed and look like no pattern.
inline reference::Array noise(std::int64_t n, std::uint64_t seed, double scale = 1.0) {
  reference::Array x(static_cast<std::size_t>(n));
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 0x632BE59BD9B4E019U;
  for (double& v : x) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    // A multiple of 2^-20, so that the value is the same in float and in double.
    v = scale * (static_cast<double>(state >> 43) * 0x1p-20 - 1.0);
  }
  return x;
}

template <class T>
std::vector<T> to(const reference::Array& x) {
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<T>(x[i]);
  return y;
}

/// A buffer that holds NaN: what a kernel must overwrite.
template <class T>
std::vector<T> unset(std::int64_t n) {
  return std::vector<T>(static_cast<std::size_t>(n), std::numeric_limits<T>::quiet_NaN());
}

/// The largest difference relative to the largest expected value; infinite where a value is not finite.
template <class T>
double difference(const std::vector<T>& x, const reference::Array& expected) {
  if (x.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double largest = 0, worst = 0;
  for (const double v : expected) largest = std::max(largest, std::fabs(v));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = std::fabs(static_cast<double>(x[i]) - expected[i]);
    if (!(d <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, d);
  }
  return largest > 0 ? worst / largest : worst;
}

/// What `difference` may be: `units` roundings of T.
template <class T>
double tolerance(double units) {
  return units * static_cast<double>(std::numeric_limits<T>::epsilon());
}

}  // namespace kernel_test
