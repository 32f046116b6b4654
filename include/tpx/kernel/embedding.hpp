// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/group.hpp>

/// Rows of a table by id. A table that is split over ranks by rows holds the ids [first, first + table_rows).
namespace tpx::kernel {
namespace impl {

template <class T>
struct Embedding {
  const std::int32_t* id;
  const T* table;
  T* y;
  std::int64_t columns, first, table_rows;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const std::int64_t row = id[r] - first;
    T* out = y + r * columns;
    if (row >= 0 && row < table_rows) {
      copy_row(group, table + row * columns, out, columns);
    } else {
      for (std::int64_t c = group.lane(); c < columns; c += group.width()) out[c] = T(0);
    }
  }
};

/// A host thread owns 64 columns of the table and adds the rows in order.
template <class T>
struct EmbeddingBackwardColumns {
  static constexpr std::int64_t block = 64;
  const std::int32_t* id;
  const T* dy;
  T* dtable;
  std::int64_t rows, columns, first, table_rows;
  void operator()(std::int64_t index) const {
    const std::int64_t c0 = index * block, width = columns - c0 < block ? columns - c0 : block;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t row = id[r] - first;
      if (row < 0 || row >= table_rows) continue;
      T* out = dtable + row * columns + c0;
      const T* add = dy + r * columns + c0;
      for (std::int64_t c = 0; c < width; ++c) out[c] += add[c];
    }
  }
};

/// On a device rows add as they come.
template <class T>
struct EmbeddingBackwardAtomic {
  const std::int32_t* id;
  const T* dy;
  T* dtable;
  std::int64_t columns, first, table_rows;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const std::int64_t row = id[r] - first;
    if (row < 0 || row >= table_rows) return;
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) {
      Kokkos::atomic_add(dtable + row * columns + c, dy[r * columns + c]);
    }
  }
};

struct CountOutside {
  const std::int32_t* id;
  std::int64_t n, vocabulary;
  std::int32_t* count;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t) const {
    std::int32_t outside = 0;
    for (std::int64_t i = group.lane(); i < n; i += group.width()) {
      outside += id[i] < 0 || id[i] >= vocabulary ? 1 : 0;
    }
    outside = group.sum(outside);
    if (group.lane() == 0) *count = outside;
  }
};

}  // namespace impl

/// Looks ids up.
///
///   y[r,:] = table[id[r] - first,:] where that row exists, else 0
///
///   id  i32 (rows)    table  (table_rows, columns)    y  (rows, columns)
template <class T, class Exec>
void embedding(const Exec& exec, const std::int32_t* id, const T* table, T* y, std::int64_t rows,
               std::int64_t columns, std::int64_t first, std::int64_t table_rows) {
  if (columns > 0) {
    for_groups(exec, "tpx::embedding", rows, impl::Embedding<T>{id, table, y, columns, first, table_rows});
  }
}

/// dtable[id[r] - first,:] += dy[r,:] where that row exists.
///
/// @post   on a host deterministic, one order of summation; on a device the order is the device's
template <class T, class Exec>
void embedding_backward(const Exec& exec, const std::int32_t* id, const T* dy, T* dtable, std::int64_t rows,
                        std::int64_t columns, std::int64_t first, std::int64_t table_rows) {
  const char* const name = "tpx::embedding_backward";
  if constexpr (is_host_space_v<Exec>) {
    constexpr std::int64_t block = impl::EmbeddingBackwardColumns<T>::block;
    for_each(exec, name, (columns + block - 1) / block,
             impl::EmbeddingBackwardColumns<T>{id, dy, dtable, rows, columns, first, table_rows});
  } else {
    for_groups(exec, name, rows, impl::EmbeddingBackwardAtomic<T>{id, dy, dtable, columns, first, table_rows});
  }
}

/// *count = how many of n ids lie outside [0, vocabulary).
template <class Exec>
void count_outside(const Exec& exec, const std::int32_t* id, std::int64_t n, std::int64_t vocabulary,
                   std::int32_t* count) {
  for_groups(exec, "tpx::count_outside", 1, impl::CountOutside{id, n, vocabulary, count});
}

}  // namespace tpx::kernel
