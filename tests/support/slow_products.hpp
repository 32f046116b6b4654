// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>

#include <tpx/kernel/gemm_call.hpp>

namespace tpx::test {

/// What is wrong where a library is there to multiply, and products were left to the slow kernel; empty where
/// none was. A test that does it on purpose puts the count back.
inline std::string slow_products() {
#if defined(TPX_HAVE_KOKKOS_KERNELS) || defined(TPX_HAVE_CBLAS)
  if (const std::int64_t n = kernel::gemm_native_calls(); n != 0)
    return "products in the slow kernel: " + std::to_string(n) + ", expected 0\n";
#endif
  return {};
}

}  // namespace tpx::test
