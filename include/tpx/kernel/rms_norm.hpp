// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>
#include <tpx/kernel/pointwise.hpp>

namespace tpx::kernel {
namespace impl {

template <class T>
struct RmsNorm {
  const T* x;
  const T* gamma;
  T* y;
  T* rstd;
  std::int64_t columns;
  T epsilon;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const T* row = x + r * columns;
    T* out = y + r * columns;
    const T mean =
        group_sum<T>(group, columns, [=](std::int64_t c) { return row[c] * row[c]; }) / static_cast<T>(columns);
    const T scale = T(1) / math::sqrt(mean + epsilon);
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) out[c] = row[c] * scale * gamma[c];
    if (group.lane() == 0) rstd[r] = scale;
  }
};

/// dx = rstd (g - x_hat mean(g x_hat)), g = dy gamma, x_hat = x rstd.
template <class T>
struct RmsNormBackward {
  const T* x;
  const T* gamma;
  const T* rstd;
  const T* dy;
  T* dx;
  std::int64_t columns;
  bool accumulate;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const T* row = x + r * columns;
    const T* gradient = dy + r * columns;
    const T* weight = gamma;
    T* out = dx + r * columns;
    const T scale = rstd[r];
    const T mean = group_sum<T>(group, columns,
                                [=](std::int64_t c) { return gradient[c] * weight[c] * (row[c] * scale); }) /
                   static_cast<T>(columns);
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) {
      const T value = scale * (gradient[c] * weight[c] - row[c] * scale * mean);
      out[c] = accumulate ? out[c] + value : value;
    }
  }
};

/// What a row adds to dgamma.
template <class T>
struct RmsNormGammaTerm {
  const T* x;
  const T* rstd;
  const T* dy;
  std::int64_t columns;
  KOKKOS_FUNCTION T operator()(std::int64_t r, std::int64_t c) const {
    return dy[r * columns + c] * (x[r * columns + c] * rstd[r]);
  }
};

}  // namespace impl

/// Divides each row by its root mean square, then scales it.
///
///   y = gamma x rstd,   rstd = 1 / sqrt(mean of x^2 + epsilon)
///
///   x, y  (rows, columns)    gamma  (columns)    rstd  (rows), kept for the backward
///
/// @see    arXiv:1910.07467
template <class T, class Exec>
void rms_norm(const Exec& exec, const T* x, const T* gamma, T* y, T* rstd, std::int64_t rows,
              std::int64_t columns, double epsilon) {
  if (columns <= 0) return;
  for_groups(exec, "tpx::rms_norm", rows,
             impl::RmsNorm<T>{x, gamma, y, rstd, columns, static_cast<T>(epsilon)});
}

/// dx (+)= the gradient of rms_norm with respect to x.
template <class T, class Exec>
void rms_norm_dx(const Exec& exec, const T* x, const T* gamma, const T* rstd, const T* dy, T* dx,
                 std::int64_t rows, std::int64_t columns, bool accumulate = false) {
  if (columns <= 0) return;
  for_groups(exec, "tpx::rms_norm_dx", rows,
             impl::RmsNormBackward<T>{x, gamma, rstd, dy, dx, columns, accumulate});
}

/// dgamma (+)= the sum over rows of dy x rstd.
///
/// @post   deterministic: rows are added in one order whatever the number of threads
template <class T, class Exec>
void rms_norm_dgamma(const Exec& exec, const T* x, const T* rstd, const T* dy, T* dgamma, std::int64_t rows,
                     std::int64_t columns, bool accumulate = false) {
  impl::column_sum(exec, "tpx::rms_norm_dgamma", impl::RmsNormGammaTerm<T>{x, rstd, dy, columns}, dgamma, rows,
                   columns, accumulate);
}

}  // namespace tpx::kernel
