// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>

namespace tpx::kernel {
namespace impl {

template <class T>
struct MeanPool {
  const T* x;
  const std::int32_t* lengths;
  T* y;
  std::int64_t positions, columns;
  bool normalised;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t b) const {
    const std::int64_t given = lengths[b], n = given < positions ? given : positions;
    T* out = y + b * columns;
    T square = 0;
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) {
      T sum = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += x[(b * positions + i) * columns + c];
      out[c] = n > 0 ? sum / static_cast<T>(n) : T(0);
      square += out[c] * out[c];
    }
    if (!normalised) return;
    square = group.sum(square);
    const T factor = square > T(0) ? T(1) / math::sqrt(square) : T(0);
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) out[c] *= factor;
  }
};

}  // namespace impl

/// y[b, :] = the mean of the first lengths[b] rows of x[b], then, normalised, divided by its length.
///
///   x  (batch, positions, columns)    lengths  i32 (batch)    y  (batch, columns)
template <class T, class Exec>
void mean_pool(const Exec& exec, const T* x, const std::int32_t* lengths, T* y, std::int64_t batch,
               std::int64_t positions, std::int64_t columns, bool normalised) {
  for_groups(exec, "tpx::mean_pool", batch, impl::MeanPool<T>{x, lengths, y, positions, columns, normalised});
}

}  // namespace tpx::kernel
