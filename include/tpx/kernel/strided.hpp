// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/core/math.hpp>
#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/group.hpp>
#include <tpx/kernel/pointwise.hpp>

/// Walking an array in another order than it lies in: transposing, summing over some dims, repeating along
/// them.
namespace tpx::kernel {

/// Dims, outermost first, and how far apart in memory the elements of each lie; 0 repeats one. Neighbours that
/// lie as one dim are kept as one.
struct StrideMap {
  static constexpr int largest_ndim = 12;
  int ndim = 0;
  std::int64_t extent[largest_ndim] = {};
  std::int64_t stride[largest_ndim] = {};

  constexpr void push_back(std::int64_t n, std::int64_t step) {
    if (n == 1) return;
    if (ndim > 0 && stride[ndim - 1] == n * step) {
      extent[ndim - 1] *= n;
      stride[ndim - 1] = step;
      return;
    }
    extent[ndim] = n;
    stride[ndim++] = step;
  }
  TPX_FUNCTION constexpr std::int64_t size() const {
    std::int64_t n = 1;
    for (int d = 0; d < ndim; ++d) n *= extent[d];
    return n;
  }
  /// Where in memory the i-th element of the walk lies.
  TPX_FUNCTION constexpr std::int64_t offset(std::int64_t i) const {
    std::int64_t at = 0;
    for (int d = ndim - 1; d > 0; --d) {
      at += i % extent[d] * stride[d];
      i /= extent[d];
    }
    return ndim > 0 ? at + i * stride[0] : at;
  }
  /// Whether the walk is the order in memory.
  constexpr bool is_dense() const { return ndim == 0 || (ndim == 1 && stride[0] == 1); }
};

namespace impl {

/// dst[i] (+)= factor src[offset(i)]
template <class T>
struct Gather {
  const T* src;
  StrideMap map;
  T* dst;
  T factor;
  bool accumulate;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const T value = factor * src[map.offset(i)];
    dst[i] = accumulate ? dst[i] + value : value;
  }
};

/// Rows whose elements lie side by side.
template <class T>
struct GatherRows {
  const T* src;
  StrideMap rows;
  T* dst;
  std::int64_t columns;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    copy_row(group, src + rows.offset(r), dst + r * columns, columns);
  }
};

/// What terms of T are added in; integers wrap around, where signed ones would overflow.
template <class T>
using Total = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

template <class T>
struct SumStrided {
  const T* src;
  StrideMap kept, summed;
  T* dst;
  T factor;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t i) const {
    const T* at = src + kept.offset(i);
    const std::int64_t n = summed.size();
    using Sum = Total<T>;
    Sum total = 0;
    if (summed.ndim == 1) {
      const std::int64_t step = summed.stride[0];
      total = group_sum<Sum>(group, n, [=](std::int64_t s) { return static_cast<Sum>(at[s * step]); });
    } else {
      const StrideMap& map = summed;
      total = group_sum<Sum>(group, n, [&](std::int64_t s) { return static_cast<Sum>(at[map.offset(s)]); });
    }
    if (group.lane() == 0) dst[i] = static_cast<T>(static_cast<Sum>(factor) * total);
  }
};

template <class T>
struct ScaledElement {
  const T* x;
  std::int64_t columns;
  T factor;
  KOKKOS_FUNCTION T operator()(std::int64_t r, std::int64_t c) const { return factor * x[r * columns + c]; }
};

}  // namespace impl

/// dst = src in the order of the map: a transpose. dst is dense.
template <class T, class Exec>
void gather_strided(const Exec& exec, const T* src, const StrideMap& map, T* dst) {
  const std::int64_t n = map.size();
  if (n == 0) return;
  const int last = map.ndim - 1;
  if (map.is_dense()) {
    copy(exec, src, dst, n);
  } else if (map.ndim == 2 && map.stride[0] == 1 && map.stride[1] == map.extent[0]) {
    permute(exec, src, dst, map.extent[1], map.extent[0], 1);
  } else if (map.stride[last] == 1) {
    StrideMap rows;
    for (int d = 0; d < last; ++d) rows.push_back(map.extent[d], map.stride[d]);
    for_groups(exec, "tpx::gather_rows", rows.size(), impl::GatherRows<T>{src, rows, dst, map.extent[last]});
  } else {
    for_each(exec, "tpx::gather_strided", n, impl::Gather<T>{src, map, dst, T(1), false});
  }
}

/// dst[i] (+)= factor src[map.offset(i)]: the gradient of a sum, of a transpose.
template <class T, class Exec>
void spread_strided(const Exec& exec, const T* src, const StrideMap& map, std::type_identity_t<T> factor,
                    T* dst, bool accumulate = false) {
  for_each(exec, "tpx::spread_strided", map.size(), impl::Gather<T>{src, map, dst, factor, accumulate});
}

/// dst[i] = factor times the sum over `summed` of src, for the i-th element of the walk `kept`. Integers wrap
/// around.
///
/// @post   deterministic: one order whatever the number of threads
template <class T, class Exec>
void sum_strided(const Exec& exec, const T* src, const StrideMap& kept, const StrideMap& summed,
                 std::type_identity_t<T> factor, T* dst) {
  if constexpr (!std::is_integral_v<T>) {
    const bool columns =
        kept.is_dense() && kept.ndim == 1 && summed.ndim == 1 && summed.stride[0] == kept.extent[0];
    if (columns)
      return impl::column_sum(exec, "tpx::sum_columns", impl::ScaledElement<T>{src, kept.extent[0], factor},
                              dst, summed.extent[0], kept.extent[0], false);
  }
  for_groups(exec, "tpx::sum_strided", kept.size(), impl::SumStrided<T>{src, kept, summed, dst, factor});
}

}  // namespace tpx::kernel
