// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>
#include <tpx/kernel/pointwise.hpp>

/// Functions of one or two elements, given as functors:
///
///   one    value(x), derivative(x)
///   two    value(x, y), dx(x, y), dy(x, y): the derivatives with respect to the first and to the second
///
/// The members are templates or take float and double, run on host and device, and have no side effects.
namespace tpx::kernel {

/// x Phi(x), Phi the distribution function of the normal distribution, by erf.
struct Gelu {
  static constexpr bool computes_fractions = true;
  static constexpr std::int64_t flops = 12;
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

/// x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3), the form that GPT-2 was trained with.
struct GeluTanh {
  static constexpr bool computes_fractions = true;
  static constexpr std::int64_t flops = 12;
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

/// max(x, 0); its derivative at 0 is 0, and of a NaN 1.
struct Relu {
  static constexpr std::int64_t flops = 1;
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T value(T x) {
    return x < T(0) ? T(0) : x;  // a NaN stays one
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T derivative(T x) {
    return x <= T(0) ? T(0) : T(1);
  }
};

/// x / (1 + exp(-x)).
struct Silu {
  static constexpr bool computes_fractions = true;
  static constexpr std::int64_t flops = 12;
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T value(T x) {
    return x / (T(1) + math::exp(-x));
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T derivative(T x) {
    const T s = T(1) / (T(1) + math::exp(-x));
    return s * (T(1) + x * (T(1) - s));
  }
};

/// tanh(x).
struct Tanh {
  static constexpr bool computes_fractions = true;
  static constexpr std::int64_t flops = 12;
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T value(T x) {
    return math::tanh(x);
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T derivative(T x) {
    const T t = math::tanh(x);
    return T(1) - t * t;
  }
};

/// exp(x).
struct Exp {
  static constexpr bool computes_fractions = true;
  static constexpr std::int64_t flops = 10;
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T value(T x) {
    return math::exp(x);
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T derivative(T x) {
    return math::exp(x);
  }
};

/// factor x.
struct Scale {
  double factor;
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION T value(T x) const {
    return static_cast<T>(factor) * x;
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION T derivative(T) const {
    return static_cast<T>(factor);
  }
};

/// x - y.
struct Subtract {
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T value(T x, T y) {
    return x - y;
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T dx(T, T) {
    return T(1);
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T dy(T, T) {
    return T(-1);
  }
};

/// x y.
struct Multiply {
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T value(T x, T y) {
    return x * y;
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T dx(T, T y) {
    return y;
  }
  template <class T>
  KOKKOS_FORCEINLINE_FUNCTION static T dy(T x, T) {
    return x;
  }
};

namespace impl {

template <class Fn, class T>
struct Unary {
  Fn fn;
  const T* x;
  T* y;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { y[i] = fn.value(x[i]); }
};

template <class Fn, class T, bool Accumulate>
struct UnaryBackward {
  Fn fn;
  const T* x;
  const T* dy;
  T* dx;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const {
    const T gradient = dy[i] * fn.derivative(x[i]);
    dx[i] = Accumulate ? dx[i] + gradient : gradient;
  }
};

/// One row, or where there is one row only: one element, so that a single row is work for all threads.
template <class Fn, class T>
struct Binary {
  Fn fn;
  const T* x;
  const T* y;
  T* z;
  std::int64_t columns;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { z[i] = fn.value(x[i], y[i]); }
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const std::int64_t base = r * columns;
    for (std::int64_t c = group.lane(); c < columns; c += group.width())
      z[base + c] = fn.value(x[base + c], y[c]);
  }
};

template <class Fn, class T>
struct BinaryDx {
  Fn fn;
  const T* x;
  const T* y;
  const T* dz;
  T* dx;
  std::int64_t columns;
  bool accumulate;
  KOKKOS_FORCEINLINE_FUNCTION void put(std::int64_t i, std::int64_t c) const {
    const T gradient = dz[i] * fn.dx(x[i], y[c]);
    dx[i] = accumulate ? dx[i] + gradient : gradient;
  }
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { put(i, i); }
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) put(r * columns + c, c);
  }
};

/// What row r adds to dy.
template <class Fn, class T>
struct BinaryDyTerm {
  Fn fn;
  const T* x;
  const T* y;
  const T* dz;
  std::int64_t columns;
  KOKKOS_FORCEINLINE_FUNCTION T operator()(std::int64_t r, std::int64_t c) const {
    return dz[r * columns + c] * fn.dy(x[r * columns + c], y[c]);
  }
};

template <class Functor, class Exec>
void over_rows(const Exec& exec, const char* name, std::int64_t rows, std::int64_t columns, const Functor& f) {
  if (rows == 1) {
    for_each(exec, name, columns, f);
  } else if (columns > 0) {
    for_groups(exec, name, rows, f);
  }
}

}  // namespace impl

/// y = fn(x), n elements; y may be x.
template <class Fn, class T, class Exec>
void unary(const Exec& exec, const Fn& fn, const T* x, T* y, std::int64_t n) {
  for_each(exec, "tpx::unary", n, impl::Unary<Fn, T>{fn, x, y});
}

/// dx (+)= dy fn'(x), n elements.
template <class Fn, class T, class Exec>
void unary_backward(const Exec& exec, const Fn& fn, const T* x, const T* dy, T* dx, std::int64_t n,
                    bool accumulate = false) {
  if (accumulate) {
    for_each(exec, "tpx::unary_backward", n, impl::UnaryBackward<Fn, T, true>{fn, x, dy, dx});
  } else {
    for_each(exec, "tpx::unary_backward", n, impl::UnaryBackward<Fn, T, false>{fn, x, dy, dx});
  }
}

/// z = fn(x, y);   x, z (rows, columns)   y (columns), the same for every row.
template <class Fn, class T, class Exec>
void binary(const Exec& exec, const Fn& fn, const T* x, const T* y, T* z, std::int64_t rows,
            std::int64_t columns) {
  impl::over_rows(exec, "tpx::binary", rows, columns, impl::Binary<Fn, T>{fn, x, y, z, columns});
}

/// dx (+)= dz d fn / d x.
template <class Fn, class T, class Exec>
void binary_dx(const Exec& exec, const Fn& fn, const T* x, const T* y, const T* dz, T* dx, std::int64_t rows,
               std::int64_t columns, bool accumulate = false) {
  impl::over_rows(exec, "tpx::binary_dx", rows, columns,
                  impl::BinaryDx<Fn, T>{fn, x, y, dz, dx, columns, accumulate});
}

/// dy (+)= the sum over rows of dz d fn / d y.
///
/// @post   deterministic: rows are added in one order whatever the number of threads
template <class Fn, class T, class Exec>
void binary_dy(const Exec& exec, const Fn& fn, const T* x, const T* y, const T* dz, T* dy, std::int64_t rows,
               std::int64_t columns, bool accumulate = false) {
  impl::column_sum(exec, "tpx::binary_dy", impl::BinaryDyTerm<Fn, T>{fn, x, y, dz, columns}, dy, rows, columns,
                   accumulate);
}

}  // namespace tpx::kernel
