// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>

/// Bias and activation functions.
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

/// x Phi(x), Phi the distribution function of the normal distribution.
struct GeluErf {
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T value(T x) {
    return T(0.5) * x * (T(1) + math::erf(x * T(0.70710678118654752440)));
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T derivative(T x) {
    const T distribution = T(0.5) * (T(1) + math::erf(x * T(0.70710678118654752440)));
    return distribution + x * T(0.39894228040143267794) * math::exp(T(-0.5) * x * x);
  }
};

/// x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3).
struct GeluTanh {
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T value(T x) {
    const T u = T(0.79788456080286535588) * x * (T(1) + T(0.044715) * x * x);
    return T(0.5) * x * (T(1) + math::tanh(u));
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T derivative(T x) {
    const T square = T(0.044715) * x * x;
    const T t = math::tanh(T(0.79788456080286535588) * x * (T(1) + square));
    const T slope = T(0.79788456080286535588) * (T(1) + T(3) * square);
    return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * slope;
  }
};

template <class T, class Function>
struct Activate {
  const T* x;
  T* y;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { y[i] = Function::value(x[i]); }
};

template <class T, class Function, bool Accumulate>
struct ActivateBackward {
  const T* x;
  const T* dy;
  T* dx;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const {
    const T gradient = dy[i] * Function::derivative(x[i]);
    dx[i] = Accumulate ? dx[i] + gradient : gradient;
  }
};

template <class Function, class T, class Exec>
void activate_backward(const Exec& exec, const char* name, const T* x, const T* dy, T* dx, std::int64_t n,
                       bool accumulate) {
  if (accumulate) {
    for_each(exec, name, n, ActivateBackward<T, Function, true>{x, dy, dx});
  } else {
    for_each(exec, name, n, ActivateBackward<T, Function, false>{x, dy, dx});
  }
}

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

/// y = x Phi(x), Phi the normal distribution function (by erf); n elements.
template <class T, class Exec>
void gelu(const Exec& exec, const T* x, T* y, std::int64_t n) {
  for_each(exec, "tpx::gelu", n, impl::Activate<T, impl::GeluErf>{x, y});
}

/// dx (+)= dy gelu'(x).
template <class T, class Exec>
void gelu_backward(const Exec& exec, const T* x, const T* dy, T* dx, std::int64_t n, bool accumulate = false) {
  impl::activate_backward<impl::GeluErf>(exec, "tpx::gelu_backward", x, dy, dx, n, accumulate);
}

/// y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), the form that GPT-2 was trained with; n elements.
template <class T, class Exec>
void gelu_tanh(const Exec& exec, const T* x, T* y, std::int64_t n) {
  for_each(exec, "tpx::gelu_tanh", n, impl::Activate<T, impl::GeluTanh>{x, y});
}

/// dx (+)= dy gelu_tanh'(x).
template <class T, class Exec>
void gelu_tanh_backward(const Exec& exec, const T* x, const T* dy, T* dx, std::int64_t n,
                        bool accumulate = false) {
  impl::activate_backward<impl::GeluTanh>(exec, "tpx::gelu_tanh_backward", x, dy, dx, n, accumulate);
}

}  // namespace tpx::kernel
