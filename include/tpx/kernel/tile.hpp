// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

/// Products of small matrices that lie in a host thread's cache: what blocked attention is made of.
namespace tpx::kernel::impl {

/// One vector register, and how many rows of accumulators, two registers each, fit beside the operands.
#if defined(__AVX512F__)
inline constexpr int lane_bytes = 64;
inline constexpr int tile_rows = 8;
#elif defined(__AVX__)
inline constexpr int lane_bytes = 32;
inline constexpr int tile_rows = 4;
#else
inline constexpr int lane_bytes = 16;
inline constexpr int tile_rows = 4;
#endif

template <class T>
inline constexpr int lanes_v = lane_bytes / static_cast<int>(sizeof(T));

/// `n` rounded up to whole registers.
template <class T>
constexpr std::int64_t round_to_lanes(std::int64_t n) {
  return (n + lanes_v<T> - 1) / lanes_v<T> * lanes_v<T>;
}

#if defined(__GNUC__) && !defined(__CUDACC__)

template <class T>
struct Lanes {
  typedef T type __attribute__((vector_size(lane_bytes)));
  type value;
  static Lanes load(const T* p) {
    Lanes x;
    std::memcpy(&x.value, p, sizeof(x.value));
    return x;
  }
  void store(T* p) const { std::memcpy(p, &value, sizeof(value)); }
  void add_product(T a, Lanes b) { value += a * b.value; }
  void add_product(Lanes a, Lanes b) { value += a.value * b.value; }
  T sum() const {
    T part[lanes_v<T>];
    store(part);
    for (int half = lanes_v<T> / 2; half > 0; half /= 2) {
      for (int w = 0; w < half; ++w) part[w] += part[w + half];
    }
    return part[0];
  }

  /// The sum of each of `x`, which is overwritten.
  static Lanes sums(Lanes (&x)[lanes_v<T>]) { return fold<lanes_v<T>>(x); }

 private:
  /// In a register with parts of several sums, `parts` of each side by side, adds one half of the parts to the
  /// other. Two registers become one.
  template <int parts>
  static Lanes fold(Lanes* x) {
    if constexpr (parts == 1) {
      return x[0];
    } else {
      for (int i = 0; i < parts / 2; ++i)
        x[i] = halves<parts>(x[2 * i].value, x[2 * i + 1].value, std::make_integer_sequence<int, lanes_v<T>>());
      return fold<parts / 2>(x);
    }
  }
  template <int parts, int... W>
  static Lanes halves(type a, type b, std::integer_sequence<int, W...>) {
    return {__builtin_shufflevector(a, b, (W / (parts / 2) * parts + W % (parts / 2))...) +
            __builtin_shufflevector(a, b, (W / (parts / 2) * parts + W % (parts / 2) + parts / 2)...)};
  }
};

#else

template <class T>
struct Lanes {
  T value[lanes_v<T>];
  static Lanes load(const T* p) {
    Lanes x;
    std::memcpy(x.value, p, sizeof(x.value));
    return x;
  }
  void store(T* p) const { std::memcpy(p, value, sizeof(value)); }
  void add_product(T a, Lanes b) {
    for (int w = 0; w < lanes_v<T>; ++w) value[w] += a * b.value[w];
  }
  void add_product(Lanes a, Lanes b) {
    for (int w = 0; w < lanes_v<T>; ++w) value[w] += a.value[w] * b.value[w];
  }
  T sum() const {
    Lanes part = *this;
    for (int half = lanes_v<T> / 2; half > 0; half /= 2) {
      for (int w = 0; w < half; ++w) part.value[w] += part.value[w + half];
    }
    return part.value[0];
  }
  static Lanes sums(Lanes (&x)[lanes_v<T>]) {
    Lanes all;
    for (int w = 0; w < lanes_v<T>; ++w) all.value[w] = x[w].sum();
    return all;
  }
};

#endif

/// The factor that is read one element at a time: element (r, p) lies at r row_step + p column_step.
template <class T>
struct TileFactor {
  const T* data;
  std::int64_t row_step, column_step;
};

/// c (Rows, Registers lanes) (+)= a (Rows, k) b (k, Registers lanes), held in registers.
template <int Rows, int Registers, class T>
inline void tile_block(const TileFactor<T>& a, const T* b, std::int64_t ldb, T* c, std::int64_t ldc,
                       std::int64_t k, bool accumulate) {
  Lanes<T> sum[Rows][Registers];
  for (int r = 0; r < Rows; ++r) {
    for (int g = 0; g < Registers; ++g) {
      if (accumulate) {
        sum[r][g] = Lanes<T>::load(c + r * ldc + g * lanes_v<T>);
      } else {
        sum[r][g] = Lanes<T>{};
      }
    }
  }
  const T* column = a.data;
  for (std::int64_t p = 0; p < k; ++p, column += a.column_step, b += ldb) {
    Lanes<T> factor[Registers];
    for (int g = 0; g < Registers; ++g) factor[g] = Lanes<T>::load(b + g * lanes_v<T>);
    for (int r = 0; r < Rows; ++r) {
      for (int g = 0; g < Registers; ++g) sum[r][g].add_product(column[r * a.row_step], factor[g]);
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int g = 0; g < Registers; ++g) sum[r][g].store(c + r * ldc + g * lanes_v<T>);
  }
}

/// All rows of one panel of columns.
template <int Registers, class T>
inline void tile_panel(const TileFactor<T>& a, const T* b, std::int64_t ldb, T* c, std::int64_t ldc,
                       std::int64_t m, std::int64_t k, bool accumulate) {
  std::int64_t i = 0;
  for (; i + tile_rows <= m; i += tile_rows) {
    tile_block<tile_rows, Registers>({a.data + i * a.row_step, a.row_step, a.column_step}, b, ldb, c + i * ldc,
                                     ldc, k, accumulate);
  }
  for (; i < m; ++i) {
    tile_block<1, Registers>({a.data + i * a.row_step, a.row_step, a.column_step}, b, ldb, c + i * ldc, ldc, k,
                             accumulate);
  }
}

/// c (m, n) (+)= a (m, k) b (k, n).
///
/// @pre    n is a multiple of lanes_v<T>
template <class T>
inline void tile_multiply(const TileFactor<T>& a, const T* b, std::int64_t ldb, T* c, std::int64_t ldc,
                          std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate) {
  std::int64_t j = 0;
  for (; j + 2 * lanes_v<T> <= n; j += 2 * lanes_v<T>)
    tile_panel<2>(a, b + j, ldb, c + j, ldc, m, k, accumulate);
  for (; j < n; j += lanes_v<T>) tile_panel<1>(a, b + j, ldb, c + j, ldc, m, k, accumulate);
}

/// dst (rows, padded) = src (rows, columns), rows `stride` apart, filled up with zeros.
template <class T>
inline void tile_pack(const T* src, std::int64_t stride, T* dst, std::int64_t padded, std::int64_t rows,
                      std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r) {
    if (columns > 0)  // memcpy takes no null pointer, not even for nothing
      std::memcpy(dst + r * padded, src + r * stride, static_cast<std::size_t>(columns) * sizeof(T));
    for (std::int64_t c = columns; c < padded; ++c) dst[r * padded + c] = T(0);
  }
}

/// dst (columns, padded) = src (rows, columns) transposed, rows `stride` apart, filled up with zeros.
template <class T>
inline void tile_pack_transposed(const T* src, std::int64_t stride, T* dst, std::int64_t padded,
                                 std::int64_t rows, std::int64_t columns) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {  // four rows at once: stores of neighbours join
    const T* row = src + r * stride;
    for (std::int64_t c = 0; c < columns; ++c) {
      T* out = dst + c * padded + r;
      out[0] = row[c];
      out[1] = row[stride + c];
      out[2] = row[2 * stride + c];
      out[3] = row[3 * stride + c];
    }
  }
  for (; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) dst[c * padded + r] = src[r * stride + c];
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t s = rows; s < padded; ++s) dst[c * padded + s] = T(0);
  }
}

}  // namespace tpx::kernel::impl
