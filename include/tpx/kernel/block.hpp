// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/group.hpp>

namespace tpx::kernel {
namespace impl {

template <class T>
struct AddBlock {
  const T* src;
  std::int64_t src_stride;
  T* dst;
  std::int64_t dst_stride;
  std::int64_t columns;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    const T* from = src + row * src_stride;
    T* to = dst + row * dst_stride;
    for (std::int64_t c = group.lane(); c < columns; c += group.width()) to[c] += from[c];
  }
};

}  // namespace impl

/// dst (+)= src, a block of (rows, columns) in arrays whose rows lie `stride` elements apart: a part of a dim.
template <class T, class Exec>
void move_block(const Exec& exec, const T* src, std::int64_t src_stride, T* dst, std::int64_t dst_stride,
                std::int64_t rows, std::int64_t columns, bool accumulate = false) {
  if (rows <= 0 || columns <= 0) return;
  const bool dense = rows == 1 || (src_stride == columns && dst_stride == columns);
  if (dense && accumulate) {
    kernel::accumulate(exec, src, dst, rows * columns);
  } else if (dense) {
    copy(exec, src, dst, rows * columns);
  } else if (accumulate) {
    for_groups(exec, "tpx::add_block", rows, impl::AddBlock<T>{src, src_stride, dst, dst_stride, columns});
  } else {
    copy_block(exec, src, src_stride, dst, dst_stride, rows, columns);
  }
}

}  // namespace tpx::kernel
