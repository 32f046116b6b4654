// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/group.hpp>

namespace tpx::kernel {

/// What sum_rows adds, and where it puts the sums: all of them arrays of (rows, columns), but for the bias.
template <class T>
struct RowSum {
  static constexpr int most = 16;

  const T* term[most]{};
  int terms = 0;
  const T* bias = nullptr;      ///< (columns); may be null
  const T* residual = nullptr;  ///< may be null
  T* result[most]{};
  int results = 0;
  std::int64_t columns = 0;

  /// The same of the rows from `row` on.
  RowSum from(std::int64_t row) const {
    RowSum rest = *this;
    for (int k = 0; k < terms; ++k) rest.term[k] += row * columns;
    for (int k = 0; k < results; ++k) rest.result[k] += row * columns;
    if (residual != nullptr) rest.residual += row * columns;
    return rest;
  }
};

namespace impl {

/// A row by the lanes of a team.
template <class T>
struct SumRowByTeam {
  RowSum<T> sum;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    const std::int64_t base = row * sum.columns;
    for (std::int64_t c = group.lane(); c < sum.columns; c += group.width()) {
      T s = sum.term[0][base + c];
      for (int k = 1; k < sum.terms; ++k) s += sum.term[k][base + c];
      if (sum.bias != nullptr) s += sum.bias[c];
      if (sum.residual != nullptr) s = sum.residual[base + c] + s;
      for (int k = 0; k < sum.results; ++k) sum.result[k][base + c] = s;
    }
  }
};

/// A row by a thread of the host.
template <class T>
struct SumRow {
  RowSum<T> sum;
  /// In pieces that stay in registers or the nearest cache from the first term to the last result. A result may
  /// be one of the terms, so what is summed has memory of its own, which the compiler knows to lie apart.
  void operator()(std::int64_t row) const {
    const std::int64_t base = row * sum.columns;
    constexpr std::int64_t piece = 256, line = 64 / sizeof(T), ahead = 4096 / sizeof(T);
    T s[piece];
    for (std::int64_t c0 = 0; c0 < sum.columns; c0 += piece) {
      const std::int64_t n = sum.columns - c0 < piece ? sum.columns - c0 : piece, at = base + c0;
      // Results that lie with other ranks are asked for to be written, as long before as it takes to come from
      // another core: read first, each line would change hands twice.
      for (int k = 0; sum.results > 1 && k < sum.results; ++k)
        for (std::int64_t i = ahead; i < ahead + n; i += line) __builtin_prefetch(sum.result[k] + at + i, 1);
      const T* const first = sum.term[0] + at;
      if (sum.terms == 1) {
        for (std::int64_t i = 0; i < n; ++i) s[i] = first[i];
      } else {
        const T* const second = sum.term[1] + at;
        for (std::int64_t i = 0; i < n; ++i) s[i] = first[i] + second[i];
      }
      for (int k = 2; k < sum.terms; ++k) {
        const T* const term = sum.term[k] + at;
        for (std::int64_t i = 0; i < n; ++i) s[i] += term[i];
      }
      if (sum.bias != nullptr) {
        const T* const bias = sum.bias + c0;
        for (std::int64_t i = 0; i < n; ++i) s[i] += bias[i];
      }
      if (sum.residual != nullptr) {
        const T* const residual = sum.residual + at;
        for (std::int64_t i = 0; i < n; ++i) s[i] = residual[i] + s[i];
      }
      for (int k = 0; k < sum.results; ++k) {
        T* const result = sum.result[k] + at;
        for (std::int64_t i = 0; i < n; ++i) result[i] = s[i];
      }
    }
  }
};

}  // namespace impl

/// result_j = residual + ((term_0 + term_1 + ...) + bias), every j alike, of the first `rows` rows.
///
/// The order of the additions is that of doing them one after the other. A result may be a term or the
/// residual.
/// @pre 1 <= terms, results <= most
template <class T, class Exec>
void sum_rows(const Exec& exec, const RowSum<T>& sum, std::int64_t rows) {
  if (sum.columns <= 0) return;
  if constexpr (is_host_space_v<Exec>) {
    for_each(exec, "tpx::sum_rows", rows, impl::SumRow<T>{sum});
  } else {
    for_groups(exec, "tpx::sum_rows", rows, impl::SumRowByTeam<T>{sum});
  }
}

}  // namespace tpx::kernel
