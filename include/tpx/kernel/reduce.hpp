// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>

/// Sums of whole arrays, in one group and one fixed order: deterministic, without scratch of Kokkos' own.
/// Results go to the memory of the execution space.
namespace tpx::kernel {
namespace impl {

template <class T>
struct Sum {
  const T* x;
  std::int64_t n;
  T* out;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t) const {
    const T* values = x;
    const double total =
        group_sum<double>(group, n, [=](std::int64_t i) { return static_cast<double>(values[i]); });
    if (group.lane() == 0) *out = static_cast<T>(total);
  }
};

template <class T>
struct SumSquares {
  const T* x;
  std::int64_t n;
  double* out;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t) const {
    const T* values = x;
    const double total = group_sum<double>(group, n, [=](std::int64_t i) {
      return static_cast<double>(values[i]) * static_cast<double>(values[i]);
    });
    if (group.lane() == 0) *out += total;
  }
};

}  // namespace impl

/// *out = sum of n elements, added in double.
template <class T, class Exec>
void sum(const Exec& exec, const T* x, std::int64_t n, T* out) {
  for_groups(exec, "tpx::sum", 1, impl::Sum<T>{x, n, out});
}

/// *out += sum of the squares of n elements, in double.
template <class T, class Exec>
void sum_squares_accumulate(const Exec& exec, const T* x, std::int64_t n, double* out) {
  if (n > 0) for_groups(exec, "tpx::sum_squares", 1, impl::SumSquares<T>{x, n, out});
}

}  // namespace tpx::kernel
