// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <tpx/kernel/group.hpp>
#include <tpx/kernel/pointwise.hpp>

/// Functions of several elements, given as functors: value(x...), and derivative<I>(x...) with respect to the
/// I-th.
namespace tpx::kernel {

/// N dense arrays; those that are shorter than the first are repeated: their dims are its last ones.
template <class T, int N>
struct Operands {
  const T* data[N];
  std::int64_t count[N];

  /// The longest run after which every array begins anew or goes on.
  std::int64_t columns() const {
    std::int64_t least = count[0];
    for (int k = 1; k < N; ++k) least = count[k] < least ? count[k] : least;
    return least;
  }
};

namespace impl {

/// One row of `columns` elements.
template <class Fn, class T, int N>
struct Many {
  Fn fn;
  Operands<T, N> x;
  T* y;
  std::int64_t columns;
  template <class Group, std::size_t... K>
  KOKKOS_FUNCTION void row(const Group& group, std::int64_t first, std::index_sequence<K...>) const {
    const T* from[N] = {(x.data[K] + first % x.count[K])...};
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) y[first + c] = fn.value(from[K][c]...);
  }
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    row(group, r * columns, std::make_index_sequence<static_cast<std::size_t>(N)>());
  }
};

/// dy times the derivative by operand I, for the element c of its repetition number r.
template <int I, class Fn, class T, int N>
struct ManyTerm {
  Fn fn;
  Operands<T, N> x;
  const T* dy;
  template <std::size_t... K>
  KOKKOS_FUNCTION T at(std::int64_t i, std::index_sequence<K...>) const {
    return dy[i] * fn.template derivative<I>(x.data[K][x.count[K] == x.count[0] ? i : i % x.count[K]]...);
  }
  KOKKOS_FUNCTION T operator()(std::int64_t r, std::int64_t c) const {
    return at(r * x.count[I] + c, std::make_index_sequence<static_cast<std::size_t>(N)>());
  }
};

template <class Term, class T>
struct ManyGradient {
  Term term;
  T* dx;
  bool accumulate;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const T gradient = term(0, i);
    dx[i] = accumulate ? dx[i] + gradient : gradient;
  }
};

}  // namespace impl

/// y = fn(x_0, x_1, ...), of x_0's count of elements.
template <class Fn, class T, int N, class Exec>
void elementwise_many(const Exec& exec, const Fn& fn, const Operands<T, N>& x, T* y) {
  const std::int64_t columns = x.columns();
  if (columns > 0)
    for_groups(exec, "tpx::elementwise_many", x.count[0] / columns, impl::Many<Fn, T, N>{fn, x, y, columns});
}

/// dx_I (+)= dy d fn / d x_I, summed over the repetitions of x_I.
///
/// @post   deterministic: repetitions are added in one order whatever the number of threads
template <int I, class Fn, class T, int N, class Exec>
void elementwise_many_gradient(const Exec& exec, const Fn& fn, const Operands<T, N>& x, const T* dy, T* dx,
                               bool accumulate) {
  const char* const name = "tpx::elementwise_many_gradient";
  using Term = impl::ManyTerm<I, Fn, T, N>;
  const Term term{fn, x, dy};
  if (x.count[I] == x.count[0]) {
    for_each(exec, name, x.count[I], impl::ManyGradient<Term, T>{term, dx, accumulate});
  } else if (x.count[I] > 0) {
    impl::column_sum(exec, name, term, dx, x.count[0] / x.count[I], x.count[I], accumulate);
  }
}

}  // namespace tpx::kernel
