// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/elementwise.hpp>
#include <tpx/kernel/group.hpp>
#include <tpx/kernel/random.hpp>

/// Choosing elements: by a mask that is given, or by chance.
namespace tpx::kernel {

/// An array, or the same value everywhere.
template <class T>
struct ArrayOr {
  const T* data = nullptr;  ///< null: it is the value
  T value = T(0);
  KOKKOS_FORCEINLINE_FUNCTION T operator[](std::int64_t i) const { return data != nullptr ? data[i] : value; }
};

namespace impl {

template <class T, class M>
struct Select {
  const M* mask;
  ArrayOr<T> x, y;
  T* z;
  std::int64_t columns;
  bool accumulate;
  KOKKOS_FORCEINLINE_FUNCTION void put(std::int64_t i, std::int64_t c) const {
    const T value = mask[c] != M(0) ? x[i] : y[i];
    z[i] = accumulate ? z[i] + value : value;
  }
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { put(i, i); }
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) put(r * columns + c, c);
  }
};

template <class T>
struct Dropout {
  const T* x;
  T* y;
  IndexMap map;
  std::uint64_t seed, stream;
  double probability;
  T factor;
  bool accumulate;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const PhiloxBlock bits = philox(seed, stream, static_cast<std::uint64_t>(map.global(i)));
    const T value = unit_interval(bits.word[0], bits.word[1]) < probability ? T(0) : factor * x[i];
    y[i] = accumulate ? y[i] + value : value;
  }
};

}  // namespace impl

/// z (+)= x where the mask is not 0, y where it is;   x, y, z (rows, columns)   mask (columns)
template <class T, class M, class Exec>
void select(const Exec& exec, const M* mask, const ArrayOr<T>& x, const ArrayOr<T>& y, T* z, std::int64_t rows,
            std::int64_t columns, bool accumulate = false) {
  impl::over_rows(exec, "tpx::select", rows, columns, impl::Select<T, M>{mask, x, y, z, columns, accumulate});
}

/// y (+)= x / (1 - p), or 0 with probability p.
///
/// @post   whether an element is dropped depends on seed, stream and its global index alone
template <class T, class Exec>
void dropout(const Exec& exec, const T* x, T* y, const IndexMap& map, std::uint64_t seed, std::uint64_t stream,
             double p, bool accumulate = false) {
  for_each(exec, "tpx::dropout", map.size(),
           impl::Dropout<T>{x, y, map, seed, stream, p, static_cast<T>(1 / (1 - p)), accumulate});
}

}  // namespace tpx::kernel
