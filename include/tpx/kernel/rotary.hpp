// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/group.hpp>

namespace tpx::kernel {
namespace impl {

template <class T>
struct Rotary {
  const T* x;
  const std::int32_t* position;
  const T* table;
  T* y;
  std::int64_t heads, half;
  T direction;
  bool accumulate;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    const T* cosine = table + position[row] * 2 * half;
    const T* sine = cosine + half;
    for (std::int64_t h = 0; h < heads; ++h) {
      const T* in = x + (row * heads + h) * 2 * half;
      T* out = y + (row * heads + h) * 2 * half;
      for (std::int64_t c = group.lane(); c < half; c += group.width()) {
        const T sin = direction * sine[c];
        const T first = in[c] * cosine[c] - in[half + c] * sin;
        const T second = in[half + c] * cosine[c] + in[c] * sin;
        out[c] = accumulate ? out[c] + first : first;
        out[half + c] = accumulate ? out[half + c] + second : second;
      }
    }
  }
};

}  // namespace impl

/// Turns the pairs (c, c + half) of each head's features by angles that grow with the position.
///
///   y[r,h,:half] (+)= x[r,h,:half] cos - x[r,h,half:] sin,   y[r,h,half:] (+)= x[r,h,half:] cos + x[r,h,:half]
///   sin
///
///   x, y  (rows, heads, 2 half)    position  i32 (rows)    table  (positions, 2, half): the cosines, the sines
///
/// @param  back  turn the other way: the inverse, and the gradient
/// @pre    0 <= position < positions;   y is not x
template <class T, class Exec>
void rotary(const Exec& exec, const T* x, const std::int32_t* position, const T* table, T* y, std::int64_t rows,
            std::int64_t heads, std::int64_t half, bool back = false, bool accumulate = false) {
  for_groups(exec, "tpx::rotary", rows,
             impl::Rotary<T>{x, position, table, y, heads, half, back ? T(-1) : T(1), accumulate});
}

}  // namespace tpx::kernel
