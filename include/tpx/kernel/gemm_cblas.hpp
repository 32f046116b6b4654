// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/kernel/gemm_call.hpp>
#include <tpx/kernel/group.hpp>

#ifdef TPX_HAVE_CBLAS

#include <type_traits>

#include <cblas.h>

namespace tpx::kernel {

/// Any BLAS of the host through its C interface: what the GEMM comes from where Kokkos Kernels is not
/// installed. Defined in programs that link tpx::cblas.
struct CblasGemm {
  template <class T, class Exec>
  static constexpr bool takes() {
    return is_host_space_v<Exec> && (std::is_same_v<T, float> || std::is_same_v<T, double>);
  }

  template <class T, class Exec>
  static void multiply(const Exec&, const GemmCall<T>& call) {
    const auto op = [](Transpose t) { return t == Transpose::yes ? CblasTrans : CblasNoTrans; };
    const int m = static_cast<int>(call.m), n = static_cast<int>(call.n), k = static_cast<int>(call.k);
    const int lda = static_cast<int>(call.lda), ldb = static_cast<int>(call.ldb),
              ldc = static_cast<int>(call.ldc);
    if constexpr (std::is_same_v<T, float>) {
      cblas_sgemm(CblasRowMajor, op(call.ta), op(call.tb), m, n, k, call.alpha, call.a, lda, call.b, ldb,
                  call.beta, call.c, ldc);
    } else {
      cblas_dgemm(CblasRowMajor, op(call.ta), op(call.tb), m, n, k, call.alpha, call.a, lda, call.b, ldb,
                  call.beta, call.c, ldc);
    }
  }
};

}  // namespace tpx::kernel

#endif
