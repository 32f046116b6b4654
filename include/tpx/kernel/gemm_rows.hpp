// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>

#include <tpx/kernel/gemm_call.hpp>
#include <tpx/kernel/group.hpp>
#include <tpx/kernel/tile.hpp>

/// Products with few rows on a host: a token or a handful of them times a weight, and the weight's gradient.
/// Each element of the weight is used a few times only, so what counts is that it is read, or written, once,
/// and in the order in which it lies in memory.
namespace tpx::kernel::impl {

/// Up to as many rows these kernels are faster than the blocked ones of a library, which copy the weight first,
/// but are written for the widest registers of the machine that they find themselves on.
inline constexpr std::int64_t gemm_few_rows = lane_bytes == 64 ? 16 : lane_bytes == 32 ? 8 : 2;

/// Whether a product is one of those below: few rows times a weight, or the sum of the products of few rows.
template <class T>
bool has_few_rows(const GemmCall<T>& call) {
  if (call.alpha != T(1)) return false;
  if (call.ta == Transpose::no) return call.m <= gemm_few_rows;
  return call.tb == Transpose::no && call.k <= gemm_few_rows && (call.beta == T(0) || call.beta == T(1));
}

/// Asks for memory that will be read soon.
inline void prefetch([[maybe_unused]] const void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p);
#endif
}

/// c = beta c, and 0 where beta is, whatever c held.
template <class T>
inline T scaled(T beta, T c) {
  return beta == T(0) ? T(0) : beta * c;
}

/// A strip of columns of C (m, n) = A (m, k) B (k, n) + beta C. Some rows of B are read side by side and added
/// to the strip's sums, while the next ones are on their way. The sums lie in scratch: rows of C are often a
/// power of two apart, and would share a few lines of the cache.
template <class T>
struct GemmRowsStrip {
  static constexpr int depth = tile_rows;
  static constexpr std::size_t scratch_bytes = 128 * 1024;
  GemmCall<T> call;
  std::int64_t width;

  /// The widest strip whose sums fit the scratch.
  static constexpr std::int64_t widest(std::int64_t rows) {
    constexpr std::int64_t elements = scratch_bytes / sizeof(T);
    return std::min<std::int64_t>(elements / rows - 2 * lanes_v<T>, 8192) / lanes_v<T> * lanes_v<T>;
  }

  void operator()(const HostGroup& group, std::int64_t index) const {
    const std::int64_t first = index * width, columns = std::min(width, call.n - first);
    T* const sums = group.scratch<T>();  // (m, stride)
    std::fill_n(sums, call.m * stride(), T(0));
    std::int64_t p = 0;
    for (; p + depth <= call.k; p += depth) add_rows<depth>(p, first, sums, columns);
    for (; p < call.k; ++p) add_rows<1>(p, first, sums, columns);
    for (std::int64_t i = 0; i < call.m; ++i) {
      T* const c = call.c + i * call.ldc + first;
      const T* const sum = sums + i * stride();
      for (std::int64_t j = 0; j < columns; ++j) c[j] = scaled(call.beta, c[j]) + sum[j];
    }
  }

 private:
  /// An odd number of registers, so that the rows of the sums lie apart in the cache.
  std::int64_t stride() const { return ((width / lanes_v<T> + 1) | 1) * lanes_v<T>; }

  template <int Depth>
  void add_rows(std::int64_t p, std::int64_t first, T* sums, std::int64_t columns) const {
    T a[gemm_few_rows][Depth];
    for (std::int64_t i = 0; i < call.m; ++i) {
      for (int q = 0; q < Depth; ++q) a[i][q] = call.a[i * call.lda + p + q];
    }
    const T* const b = call.b + p * call.ldb + first;
    const std::int64_t ahead = p + 2 * Depth <= call.k ? Depth * call.ldb : 0;
    std::int64_t j = 0;
    for (; j + 2 * lanes_v<T> <= columns; j += 2 * lanes_v<T>)
      add_registers<Depth, 2>(a, b + j, ahead, sums + j);
    for (; j + lanes_v<T> <= columns; j += lanes_v<T>) add_registers<Depth, 1>(a, b + j, ahead, sums + j);
    for (; j < columns; ++j) {
      for (std::int64_t i = 0; i < call.m; ++i) {
        for (int q = 0; q < Depth; ++q) sums[i * stride() + j] += a[i][q] * b[q * call.ldb + j];
      }
    }
  }

  template <int Depth, int Registers>
  void add_registers(const T (&a)[gemm_few_rows][Depth], const T* b, std::int64_t ahead, T* sums) const {
    Lanes<T> read[Depth][Registers];
    for (int q = 0; q < Depth; ++q) {
      for (int g = 0; g < Registers; ++g) {
        const T* const at = b + q * call.ldb + g * lanes_v<T>;
        read[q][g] = Lanes<T>::load(at);
        prefetch(at + ahead);
      }
    }
    for (std::int64_t i = 0; i < call.m; ++i, sums += stride()) {
      Lanes<T> sum[Registers];
      for (int g = 0; g < Registers; ++g) sum[g] = Lanes<T>::load(sums + g * lanes_v<T>);
      for (int q = 0; q < Depth; ++q) {
        for (int g = 0; g < Registers; ++g) sum[g].add_product(a[i][q], read[q][g]);
      }
      for (int g = 0; g < Registers; ++g) sum[g].store(sums + g * lanes_v<T>);
    }
  }
};

/// As many columns as a register holds of C (m, n) = A (m, k) B^T + beta C, B (n, k): products of rows of A and
/// B, four of each side by side, a register of sums for each until the end.
template <class T>
struct GemmRowsDots {
  static constexpr int side = 4;
  static constexpr std::int64_t width = lanes_v<T>;
  static constexpr std::int64_t depth =
      4096 / static_cast<std::int64_t>(sizeof(T));  // of a row, in the nearest cache
  using Parts = Lanes<T>[gemm_few_rows][lanes_v<T>];
  GemmCall<T> call;

  void operator()(const HostGroup&, std::int64_t index) const {
    const std::int64_t first = index * width, columns = std::min(width, call.n - first);
    const std::int64_t whole = call.k / lanes_v<T> * lanes_v<T>;
    const T* const b = call.b + first * call.ldb;
    Parts parts;
    for (std::int64_t i = 0; i < call.m; ++i) std::fill_n(parts[i], lanes_v<T>, Lanes<T>{});
    for (std::int64_t p = 0; p < whole; p += depth) {
      const std::int64_t part = std::min(depth, whole - p);
      std::int64_t s = 0;
      for (; s + side <= columns; s += side)
        add_columns<side>(b, p, part, s, first + s + 2 * side <= call.n, parts);
      for (; s < columns; ++s) add_columns<1>(b, p, part, s, false, parts);
    }
    for (std::int64_t i = 0; i < call.m; ++i) {
      T sums[lanes_v<T>];
      Lanes<T>::sums(parts[i]).store(sums);
      const T* const a = call.a + i * call.lda;
      for (std::int64_t p = whole; p < call.k; ++p) {
        for (std::int64_t c = 0; c < columns; ++c) sums[c] += a[p] * b[c * call.ldb + p];
      }
      T* const to = call.c + i * call.ldc + first;
      for (std::int64_t c = 0; c < columns; ++c) to[c] = scaled(call.beta, to[c]) + sums[c];
    }
  }

 private:
  /// The products with rows s, s + 1, ... of b; if there is a next block of them, it is asked for meanwhile.
  template <int Columns>
  void add_columns(const T* b, std::int64_t p, std::int64_t part, std::int64_t s, bool more,
                   Parts& parts) const {
    const T* const a = call.a + p;
    const T* const rows = b + s * call.ldb + p;
    const std::int64_t ahead = more ? side * call.ldb : 0;
    std::int64_t i = 0;
    for (; i + side <= call.m; i += side)
      add_products<side, Columns>(a + i * call.lda, rows, i == 0 ? ahead : 0, part, parts[i] + s);
    for (; i < call.m; ++i)
      add_products<1, Columns>(a + i * call.lda, rows, i == 0 ? ahead : 0, part, parts[i] + s);
  }

  /// sums (Rows, Columns), of the corner of rows of lanes_v<T>, += the registers' products.
  template <int Rows, int Columns>
  void add_products(const T* a, const T* b, std::int64_t ahead, std::int64_t part, Lanes<T>* sums) const {
    Lanes<T> sum[Rows][Columns];
    for (int r = 0; r < Rows; ++r) {
      for (int s = 0; s < Columns; ++s) sum[r][s] = sums[r * lanes_v<T> + s];
    }
    for (std::int64_t p = 0; p < part; p += lanes_v<T>) {
      Lanes<T> read[Columns];
      for (int s = 0; s < Columns; ++s) {
        read[s] = Lanes<T>::load(b + s * call.ldb + p);
        prefetch(b + s * call.ldb + p + ahead);
      }
      for (int r = 0; r < Rows; ++r) {
        const Lanes<T> factor = Lanes<T>::load(a + r * call.lda + p);
        for (int s = 0; s < Columns; ++s) sum[r][s].add_product(factor, read[s]);
      }
    }
    for (int r = 0; r < Rows; ++r) {
      for (int s = 0; s < Columns; ++s) sums[r * lanes_v<T> + s] = sum[r][s];
    }
  }
};

/// Some rows of C (m, n) = A^T B + beta C of few rows A (k, m), B (k, n): each element of C is written once.
template <class T>
struct GemmRowsSum {
  static constexpr std::int64_t height = tile_rows;
  GemmCall<T> call;

  void operator()(const HostGroup&, std::int64_t index) const {
    const std::int64_t first = index * height, rows = std::min(height, call.m - first);
    const std::int64_t whole = call.n / lanes_v<T> * lanes_v<T>;
    T* const c = call.c + first * call.ldc;
    tile_multiply<T>({call.a + first, 1, call.lda}, call.b, call.ldb, c, call.ldc, rows, whole, call.k,
                     call.beta == T(1));
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = whole; j < call.n; ++j) {
        T sum = scaled(call.beta, c[i * call.ldc + j]);
        for (std::int64_t p = 0; p < call.k; ++p)
          sum += call.a[p * call.lda + first + i] * call.b[p * call.ldb + j];
        c[i * call.ldc + j] = sum;
      }
    }
  }
};

/// @pre  has_few_rows(call), exec is of a host space
template <class T, class Exec>
void gemm_rows(const Exec& exec, const GemmCall<T>& call) {
  if (call.ta == Transpose::yes) {
    constexpr std::int64_t height = GemmRowsSum<T>::height;
    for_groups(exec, "tpx::gemm_rows", (call.m + height - 1) / height, GemmRowsSum<T>{call});
  } else if (call.tb == Transpose::no) {
    const std::int64_t threads = static_cast<std::int64_t>(exec.concurrency());
    const std::int64_t share = round_to_lanes<T>((call.n + threads - 1) / threads);
    using Strip = GemmRowsStrip<T>;
    const std::int64_t width = std::min(Strip::widest(call.m), share);
    for_groups(exec, "tpx::gemm_rows", (call.n + width - 1) / width, Strip{call, width}, Strip::scratch_bytes);
  } else {
    constexpr std::int64_t width = GemmRowsDots<T>::width;
    for_groups(exec, "tpx::gemm_rows", (call.n + width - 1) / width, GemmRowsDots<T>{call});
  }
}

}  // namespace tpx::kernel::impl
