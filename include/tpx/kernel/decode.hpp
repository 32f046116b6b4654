// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/group.hpp>

/// Moving rows to and from places that differ from sample to sample.
namespace tpx::kernel {
namespace impl {

template <class T>
struct StoreRows {
  const T* x;
  const std::int32_t* first;
  T* cache;
  std::int64_t positions, capacity, width;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    const std::int64_t b = row / positions, to = first[b] + row % positions;
    if (to >= 0 && to < capacity) copy_row(group, x + row * width, cache + (b * capacity + to) * width, width);
  }
};

template <class T>
struct SelectPositions {
  const T* x;
  const std::int32_t* index;
  T* y;
  std::int64_t positions, width;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t b) const {
    copy_row(group, x + (b * positions + index[b]) * width, y + b * width, width);
  }
};

struct CountFrom {
  const std::int32_t* first;
  std::int32_t* position;
  std::int64_t positions;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const std::int64_t start = first != nullptr ? first[i / positions] : 0;
    position[i] = static_cast<std::int32_t>(start + i % positions);
  }
};

}  // namespace impl

/// cache[b, first[b] + i, :] = x[b, i, :]; what would lie beyond the cache is left out.
///
///   x  (batch, positions, width)    first  i32 (batch)    cache  (batch, capacity, width)
template <class T, class Exec>
void store_rows(const Exec& exec, const T* x, const std::int32_t* first, T* cache, std::int64_t batch,
                std::int64_t positions, std::int64_t capacity, std::int64_t width) {
  for_groups(exec, "tpx::store_rows", batch * positions,
             impl::StoreRows<T>{x, first, cache, positions, capacity, width});
}

/// y[b, :] = x[b, index[b], :]
///
///   x  (batch, positions, width)    index  i32 (batch)    y  (batch, width)
/// @pre 0 <= index < positions
template <class T, class Exec>
void select_rows(const Exec& exec, const T* x, const std::int32_t* index, T* y, std::int64_t batch,
                 std::int64_t positions, std::int64_t width) {
  for_groups(exec, "tpx::select_rows", batch, impl::SelectPositions<T>{x, index, y, positions, width});
}

/// position[b, i] = first[b] + i, or i where first is null.
template <class Exec>
void count_from(const Exec& exec, const std::int32_t* first, std::int32_t* position, std::int64_t batch,
                std::int64_t positions) {
  for_each(exec, "tpx::count_from", batch * positions, impl::CountFrom{first, position, positions});
}

}  // namespace tpx::kernel
