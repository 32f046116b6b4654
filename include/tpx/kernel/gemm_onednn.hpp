// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/kernel/gemm_call.hpp>
#include <tpx/kernel/group.hpp>

#ifdef TPX_HAVE_ONEDNN

#include <string>
#include <type_traits>

#include <oneapi/dnnl/dnnl.h>

#include <tpx/core/error.hpp>

namespace tpx::kernel {

/// oneDNN on a host, in float; it has no GEMM in double. Defined in programs that link tpx::onednn.
struct OneDnnGemm {
  template <class T, class Exec>
  static constexpr bool takes() {
    return is_host_space_v<Exec> && std::is_same_v<T, float>;
  }

  template <class T, class Exec>
  static void multiply(const Exec&, const GemmCall<T>& call) {
    const auto op = [](Transpose t) { return t == Transpose::yes ? 'T' : 'N'; };
    const dnnl_status_t status = dnnl_sgemm(op(call.ta), op(call.tb), call.m, call.n, call.k, call.alpha,
                                            call.a, call.lda, call.b, call.ldb, call.beta, call.c, call.ldc);
    if (status != dnnl_success)
      fail("tpx::gemm: oneDNN refuses the product with status " + std::to_string(status));
  }
};

}  // namespace tpx::kernel

#endif
