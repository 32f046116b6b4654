// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>
#include <tpx/kernel/pointwise.hpp>

namespace tpx::kernel {
namespace impl {

template <class T>
struct LayerNorm {
  const T* x;
  const T* gamma;
  const T* beta;
  T* y;
  T* mean;
  T* rstd;
  std::int64_t columns;
  T epsilon;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const T* row = x + r * columns;
    T* out = y + r * columns;
    const T n = static_cast<T>(columns);
    const T centre = group_sum<T>(group, columns, [=](std::int64_t c) { return row[c]; }) / n;
    const T variance =
        group_sum<T>(group, columns, [=](std::int64_t c) { return (row[c] - centre) * (row[c] - centre); }) / n;
    const T scale = T(1) / math::sqrt(variance + epsilon);
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) {
      out[c] = (row[c] - centre) * scale * gamma[c] + beta[c];
    }
    if (group.lane() == 0) {
      mean[r] = centre;
      rstd[r] = scale;
    }
  }
};

/// dx = rstd (g - mean(g) - x_hat mean(g x_hat)), g = dy gamma, x_hat = (x - mean) rstd.
template <class T, bool Accumulate>
struct LayerNormBackward {
  const T* x;
  const T* gamma;
  const T* mean;
  const T* rstd;
  const T* dy;
  T* dx;
  std::int64_t columns;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const T* row = x + r * columns;
    const T* gradient = dy + r * columns;
    const T* weight = gamma;
    T* out = dx + r * columns;
    const T centre = mean[r], scale = rstd[r], n = static_cast<T>(columns);
    const T mean_g = group_sum<T>(group, columns, [=](std::int64_t c) { return gradient[c] * weight[c]; }) / n;
    const T mean_gx =
        group_sum<T>(group, columns,
                     [=](std::int64_t c) { return gradient[c] * weight[c] * ((row[c] - centre) * scale); }) /
        n;
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) {
      const T value = scale * (gradient[c] * weight[c] - mean_g - (row[c] - centre) * scale * mean_gx);
      out[c] = Accumulate ? out[c] + value : value;
    }
  }
};

/// What a row adds to dgamma.
template <class T>
struct LayerNormGammaTerm {
  const T* x;
  const T* mean;
  const T* rstd;
  const T* dy;
  std::int64_t columns;
  KOKKOS_FUNCTION T operator()(std::int64_t r, std::int64_t c) const {
    return dy[r * columns + c] * ((x[r * columns + c] - mean[r]) * rstd[r]);
  }
};

}  // namespace impl

/// Normalises each row to mean 0 and variance 1, then scales and shifts it.
///
///   y = gamma (x - mean) rstd + beta,   rstd = 1 / sqrt(variance + epsilon)
///
///   x, y  (rows, columns)    gamma, beta  (columns)    mean, rstd  (rows), kept for the backward
///
/// @see    arXiv:1607.06450
template <class T, class Exec>
void layer_norm(const Exec& exec, const T* x, const T* gamma, const T* beta, T* y, T* mean, T* rstd,
                std::int64_t rows, std::int64_t columns, double epsilon) {
  if (columns <= 0) return;
  for_groups(exec, "tpx::layer_norm", rows,
             impl::LayerNorm<T>{x, gamma, beta, y, mean, rstd, columns, static_cast<T>(epsilon)});
}

/// The gradients of layer_norm:   dx (+)= ...,   dgamma += sum over rows of dy x_hat,   dbeta += sum of dy.
///
/// @param  accumulate  whether dx is added to or overwritten; dgamma and dbeta are always added to
/// @post   deterministic: rows are added in one order whatever the number of threads
template <class T, class Exec>
void layer_norm_backward(const Exec& exec, const T* x, const T* gamma, const T* mean, const T* rstd,
                         const T* dy, T* dx, T* dgamma, T* dbeta, std::int64_t rows, std::int64_t columns,
                         bool accumulate = false) {
  if (columns <= 0) return;
  const char* const name = "tpx::layer_norm_backward";
  if (accumulate) {
    for_groups(exec, name, rows, impl::LayerNormBackward<T, true>{x, gamma, mean, rstd, dy, dx, columns});
  } else {
    for_groups(exec, name, rows, impl::LayerNormBackward<T, false>{x, gamma, mean, rstd, dy, dx, columns});
  }
  impl::column_sum(exec, "tpx::layer_norm_dgamma", impl::LayerNormGammaTerm<T>{x, mean, rstd, dy, columns},
                   dgamma, rows, columns, true);
  impl::column_sum(exec, "tpx::layer_norm_dbeta", impl::Element<T>{dy, columns}, dbeta, rows, columns, true);
}

}  // namespace tpx::kernel
