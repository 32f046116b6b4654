// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/group.hpp>

/// A row that is added to every row, and its gradient.
namespace tpx::kernel {
namespace impl {

template <class T>
struct BiasAdd {
  const T* x;
  const T* b;
  T* y;
  std::int64_t columns;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    const std::int64_t base = row * columns;
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) y[base + c] = x[base + c] + b[c];
  }
};

/// Sums of a block of columns over all rows, in row order: the same bits whatever the number of threads.
/// Partial sums of 64 rows keep the rounding error small. `Term` gives the summand at (row, column).
template <class T, int Width, class Term>
struct ColumnSum {
  Term term;
  T* out;
  std::int64_t rows, columns;
  bool accumulate;
  KOKKOS_FUNCTION void operator()(std::int64_t block) const {
    const std::int64_t first = block * Width;
    const int width = columns - first < Width ? static_cast<int>(columns - first) : Width;
    T total[Width] = {};
    for (std::int64_t r0 = 0; r0 < rows; r0 += 64) {
      const std::int64_t r1 = r0 + 64 < rows ? r0 + 64 : rows;
      T part[Width] = {};
      if (width == Width) {
        for (std::int64_t r = r0; r < r1; ++r) {
          for (int c = 0; c < Width; ++c) part[c] += term(r, first + c);
        }
      } else {
        for (std::int64_t r = r0; r < r1; ++r) {
          for (int c = 0; c < width; ++c) part[c] += term(r, first + c);
        }
      }
      for (int c = 0; c < Width; ++c) total[c] += part[c];
    }
    for (int c = 0; c < width; ++c) out[first + c] = accumulate ? out[first + c] + total[c] : total[c];
  }
};

/// out[c] (+)= sum over rows of term(r, c): one thread per 64 columns on a host, per column on a device.
template <class T, class Exec, class Term>
void column_sum(const Exec& exec, const char* name, const Term& term, T* out, std::int64_t rows,
                std::int64_t columns, bool accumulate) {
  constexpr int width = is_host_space_v<Exec> ? 64 : 1;
  for_each(exec, name, (columns + width - 1) / width,
           ColumnSum<T, width, Term>{term, out, rows, columns, accumulate});
}

template <class T>
struct Element {
  const T* x;
  std::int64_t columns;
  KOKKOS_FUNCTION T operator()(std::int64_t r, std::int64_t c) const { return x[r * columns + c]; }
};

}  // namespace impl

/// y = x + b;   x, y (rows, columns)   b (columns)   y may be x.
template <class T, class Exec>
void bias_add(const Exec& exec, const T* x, const T* b, T* y, std::int64_t rows, std::int64_t columns) {
  if (columns > 0) for_groups(exec, "tpx::bias_add", rows, impl::BiasAdd<T>{x, b, y, columns});
}

/// db (+)= sum over rows of dy;   dy (rows, columns)   db (columns)
///
/// @post   deterministic: rows are added in one order whatever the number of threads
template <class T, class Exec>
void bias_gradient(const Exec& exec, const T* dy, T* db, std::int64_t rows, std::int64_t columns,
                   bool accumulate = true) {
  impl::column_sum(exec, "tpx::bias_gradient", impl::Element<T>{dy, columns}, db, rows, columns, accumulate);
}

}  // namespace tpx::kernel
