// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/gemm_call.hpp>
#include <tpx/kernel/group.hpp>

namespace tpx::kernel {
namespace impl {

/// One row of C in plain loops.
template <class T>
struct GemmNativeRow {
  GemmCall<T> call;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t i) const {
    const auto& [ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc] = call;
    T* row = c + i * ldc;
    const std::int64_t a_step = ta == Transpose::yes ? lda : 1;
    const T* a_row = ta == Transpose::yes ? a + i : a + i * lda;
    for (std::int64_t j = group.lane(); j < n; j += group.width()) row[j] = beta == T(0) ? T(0) : beta * row[j];
    if (tb == Transpose::no) {
      for (std::int64_t p = 0; p < k; ++p) {
        const T factor = alpha * a_row[p * a_step];
        for (std::int64_t j = group.lane(); j < n; j += group.width()) row[j] += factor * b[p * ldb + j];
      }
    } else {
      for (std::int64_t j = group.lane(); j < n; j += group.width()) {
        T sum = 0;
        for (std::int64_t p = 0; p < k; ++p) sum += a_row[p * a_step] * b[j * ldb + p];
        row[j] += alpha * sum;
      }
    }
  }
};

}  // namespace impl

/// Plain loops: right for every space and every stride, and slow. Each call is counted.
struct NativeGemm {
  template <class T, class Exec>
  static constexpr bool takes() {
    return true;
  }
  template <class T, class Exec>
  static void multiply(const Exec& exec, const GemmCall<T>& call) {
    ++gemm_native_calls();
    for_groups(exec, "tpx::gemm_native", call.m, impl::GemmNativeRow<T>{call});
  }
};

}  // namespace tpx::kernel
