// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <cstring>

#include <tpx/kernel/group.hpp>

/// Moving and adding elements. All arrays are dense and row-major; source and destination do not overlap
/// unless a function says so.
namespace tpx::kernel {
namespace impl {

/// One row of `n` elements, by all lanes of a group.
template <class T, class Group>
KOKKOS_FUNCTION void copy_row(const Group& group, const T* src, T* dst, std::int64_t n) {
  if constexpr (std::is_same_v<Group, HostGroup>) {
    if (n > 0) std::memcpy(dst, src, static_cast<std::size_t>(n) * sizeof(T));
  } else {
    for (std::int64_t c = group.lane(); c < n; c += group.width()) dst[c] = src[c];
  }
}

/// A row of `n` elements on the host, the next of which starts `ahead` elements further on and is asked for
/// meanwhile: what processors fetch ahead by themselves ends with a page. Copied in small pieces, because
/// memcpy of more uses string instructions, which are slow where rows are not aligned alike.
template <class T>
KOKKOS_FUNCTION void copy_row_of_many(const T* src, T* dst, std::int64_t n, std::int64_t ahead) {
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t piece = 4 * line;
  std::int64_t c = 0;
  for (; c + piece <= n; c += piece) {
    for (std::int64_t i = 0; i < piece; i += line) __builtin_prefetch(src + ahead + c + i);
    std::memcpy(dst + c, src + c, static_cast<std::size_t>(piece) * sizeof(T));
  }
  if (c < n) std::memcpy(dst + c, src + c, static_cast<std::size_t>(n - c) * sizeof(T));
}

template <class T>
struct CopyBlock {
  static constexpr std::int64_t long_row = 8192 / static_cast<std::int64_t>(sizeof(T));  // of two pages
  const T* src;
  std::int64_t src_stride;
  T* dst;
  std::int64_t dst_stride;
  std::int64_t rows;
  std::int64_t columns;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    const T* const from = src + row * src_stride;
    T* const to = dst + row * dst_stride;
    if constexpr (std::is_same_v<Group, HostGroup>) {
      if (columns < long_row) return copy_row_of_many(from, to, columns, row + 1 < rows ? src_stride : 0);
    }
    copy_row(group, from, to, columns);
  }
};

template <class T>
struct Permute {
  const T* src;
  T* dst;
  std::int64_t n0, n1, n2;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    const std::int64_t j = row / n0, i = row % n0;
    copy_row(group, src + (i * n1 + j) * n2, dst + row * n2, n2);
  }
};

/// The transpose of a matrix (n2 = 1), a block of the destination's rows at a time so that both sides
/// are touched by cache lines.
template <class T>
struct TransposeBlock {
  static constexpr std::int64_t block = 16;
  const T* src;
  T* dst;
  std::int64_t n0, n1;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t index) const {
    const std::int64_t j0 = index * block, j1 = j0 + block < n1 ? j0 + block : n1;
    for (std::int64_t i = group.lane(); i < n0; i += group.width()) {
      for (std::int64_t j = j0; j < j1; ++j) dst[j * n0 + i] = src[i * n1 + j];
    }
  }
};

/// dst[i] = src[i] for the index-th chunk of an array.
template <class T>
struct CopyChunk {
  static constexpr std::int64_t chunk = 16384;
  const T* src;
  T* dst;
  std::int64_t n;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t index) const {
    const std::int64_t begin = index * chunk, rest = n - begin;
    copy_row(group, src + begin, dst + begin, rest < chunk ? rest : chunk);
  }
};

template <class T>
struct Fill {
  T* dst;
  T value;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { dst[i] = value; }
};

template <class From, class To>
struct Convert {
  const From* src;
  To* dst;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { dst[i] = static_cast<To>(src[i]); }
};

template <class From, class To>
struct Accumulate {
  const From* src;
  To* dst;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { dst[i] += static_cast<To>(src[i]); }
};

template <class T>
struct Scale {
  const T* src;
  T* dst;
  T factor;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { dst[i] = factor * src[i]; }
};

template <class T>
struct Add {
  const T* a;
  const T* b;
  T* dst;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const { dst[i] = a[i] + b[i]; }
};

}  // namespace impl

/// Swaps the two outer dims.   src (n0, n1, n2)   dst (n1, n0, n2)   dst[j,i,c] = src[i,j,c]
template <class T, class Exec>
void permute(const Exec& exec, const T* src, T* dst, std::int64_t n0, std::int64_t n1, std::int64_t n2) {
  if (n0 <= 0 || n1 <= 0 || n2 <= 0) return;
  if (n2 == 1) {
    constexpr std::int64_t block = impl::TransposeBlock<T>::block;
    for_groups(exec, "tpx::transpose", (n1 + block - 1) / block, impl::TransposeBlock<T>{src, dst, n0, n1});
  } else {
    for_groups(exec, "tpx::permute", n0 * n1, impl::Permute<T>{src, dst, n0, n1, n2});
  }
}

/// Copies a block of (rows, columns) between arrays whose rows lie `stride` elements apart.
template <class T, class Exec>
void copy_block(const Exec& exec, const T* src, std::int64_t src_stride, T* dst, std::int64_t dst_stride,
                std::int64_t rows, std::int64_t columns) {
  if (rows <= 0 || columns <= 0) return;
  for_groups(exec, "tpx::copy_block", rows,
             impl::CopyBlock<T>{src, src_stride, dst, dst_stride, rows, columns});
}

/// dst = src, n elements.
template <class T, class Exec>
void copy(const Exec& exec, const T* src, T* dst, std::int64_t n) {
  constexpr std::int64_t chunk = impl::CopyChunk<T>::chunk;
  for_groups(exec, "tpx::copy", (n + chunk - 1) / chunk, impl::CopyChunk<T>{src, dst, n});
}

/// dst = value.
template <class T, class Exec>
void fill(const Exec& exec, T* dst, std::int64_t n, std::type_identity_t<T> value) {
  for_each(exec, "tpx::fill", n, impl::Fill<T>{dst, value});
}

/// dst = src, each number as the nearest To.
template <class From, class To, class Exec>
void convert(const Exec& exec, const From* src, To* dst, std::int64_t n) {
  for_each(exec, "tpx::convert", n, impl::Convert<From, To>{src, dst});
}

/// dst += src, each number as the nearest To.
template <class From, class To, class Exec>
void accumulate(const Exec& exec, const From* src, To* dst, std::int64_t n) {
  for_each(exec, "tpx::accumulate", n, impl::Accumulate<From, To>{src, dst});
}

/// dst = factor src; dst may be src.
template <class T, class Exec>
void scale(const Exec& exec, const T* src, T* dst, std::int64_t n, std::type_identity_t<T> factor) {
  for_each(exec, "tpx::scale", n, impl::Scale<T>{src, dst, factor});
}

/// dst = a + b; dst may be either.
template <class T, class Exec>
void add(const Exec& exec, const T* a, const T* b, T* dst, std::int64_t n) {
  for_each(exec, "tpx::add", n, impl::Add<T>{a, b, dst});
}

}  // namespace tpx::kernel
