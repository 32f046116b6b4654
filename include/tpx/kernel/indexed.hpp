// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/group.hpp>

/// Rows taken from an array, and added into one, by their numbers. An array that is split over ranks along the
/// indexed dim holds the numbers [first, first + held).
namespace tpx::kernel {

/// The rows (outer, held, columns) of an array that `count` numbers point into, and those that go with the
/// numbers, (outer, count, columns).
struct IndexedRows {
  std::int64_t outer, count, columns, first, held;
};

namespace impl {

template <class T>
struct SelectRows {
  const std::int32_t* index;
  const T* x;
  T* y;
  IndexedRows n;
  bool accumulate;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const std::int64_t row = index[r % n.count] - n.first;
    T* out = y + r * n.columns;
    if (row >= 0 && row < n.held) {
      const T* in = x + (r / n.count * n.held + row) * n.columns;
      if (!accumulate) return copy_row(group, in, out, n.columns);
      for (std::int64_t c = group.lane(); c < n.columns; c += group.width()) out[c] += in[c];
    } else if (!accumulate) {
      for (std::int64_t c = group.lane(); c < n.columns; c += group.width()) out[c] = T(0);
    }
  }
};

/// A host thread owns 64 columns of one outer index and adds the rows in order.
template <class T>
struct AddRowsColumns {
  static constexpr std::int64_t block = 64;
  const std::int32_t* index;
  const T* y;
  T* x;
  IndexedRows n;
  void operator()(std::int64_t i) const {
    const std::int64_t blocks = (n.columns + block - 1) / block, outer = i / blocks, c0 = i % blocks * block;
    const std::int64_t width = n.columns - c0 < block ? n.columns - c0 : block;
    for (std::int64_t r = 0; r < n.count; ++r) {
      const std::int64_t row = index[r] - n.first;
      if (row < 0 || row >= n.held) continue;
      T* out = x + (outer * n.held + row) * n.columns + c0;
      const T* add = y + (outer * n.count + r) * n.columns + c0;
      for (std::int64_t c = 0; c < width; ++c) out[c] += add[c];
    }
  }
};

/// On a device rows add as they come.
template <class T>
struct AddRowsAtomic {
  const std::int32_t* index;
  const T* y;
  T* x;
  IndexedRows n;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const std::int64_t row = index[r % n.count] - n.first;
    if (row < 0 || row >= n.held) return;
    T* out = x + (r / n.count * n.held + row) * n.columns;
    for (std::int64_t c = group.lane(); c < n.columns; c += group.width()) {
      Kokkos::atomic_add(out + c, y[r * n.columns + c]);
    }
  }
};

struct CountOutside {
  const std::int32_t* index;
  std::int64_t n, extent;
  std::int32_t* count;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t) const {
    std::int32_t outside = 0;
    for (std::int64_t i = group.lane(); i < n; i += group.width()) {
      outside += index[i] < 0 || index[i] >= extent ? 1 : 0;
    }
    outside = group.sum(outside);
    if (group.lane() == 0) *count = outside;
  }
};

}  // namespace impl

/// Takes rows.
///
///   y[o,r,:] (+)= x[o, index[r] - first, :] where that row exists, else 0
///
///   index  i32 (count)    x  (outer, held, columns)    y  (outer, count, columns)
template <class T, class Exec>
void select_indexed(const Exec& exec, const std::int32_t* index, const T* x, T* y, const IndexedRows& n,
                    bool accumulate = false) {
  if (n.columns > 0) {
    for_groups(exec, "tpx::select_indexed", n.outer * n.count, impl::SelectRows<T>{index, x, y, n, accumulate});
  }
}

/// Adds rows: x[o, index[r] - first, :] += y[o,r,:] where that row exists.
///
/// @post   on a host deterministic, one order of summation; on a device the order is the device's
template <class T, class Exec>
void add_indexed(const Exec& exec, const std::int32_t* index, const T* y, T* x, const IndexedRows& n) {
  const char* const name = "tpx::add_indexed";
  if constexpr (is_host_space_v<Exec>) {
    constexpr std::int64_t block = impl::AddRowsColumns<T>::block;
    for_each(exec, name, n.outer * ((n.columns + block - 1) / block), impl::AddRowsColumns<T>{index, y, x, n});
  } else {
    for_groups(exec, name, n.outer * n.count, impl::AddRowsAtomic<T>{index, y, x, n});
  }
}

/// *count = how many of n numbers lie outside [0, extent).
template <class Exec>
void count_outside(const Exec& exec, const std::int32_t* index, std::int64_t n, std::int64_t extent,
                   std::int32_t* count) {
  for_groups(exec, "tpx::count_outside", 1, impl::CountOutside{index, n, extent, count});
}

}  // namespace tpx::kernel
