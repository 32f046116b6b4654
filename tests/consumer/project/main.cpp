// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <mpi.h>

#include <Kokkos_Core.hpp>
#include <cstdio>
#include <string>
#if __has_include(<tpx/tpx.hpp>)
#include <tpx/tpx.hpp>
#endif
#include <tpx/core/error.hpp>

#if !defined(TPX_HAVE_KOKKOS_KERNELS) && !defined(TPX_HAVE_CBLAS)
#error "tpx::tpx does not say which GEMM it has"
#endif

/// From the other unit, which includes the same headers.
std::string refusal_of(int extent);
int sum_to(int n);

int main(int argc, char** argv) {
  if (MPI_Init(&argc, &argv) != MPI_SUCCESS) return 1;
  bool good = false;
  {
    Kokkos::ScopeGuard kokkos(argc, argv);
    good = sum_to(10) == 45 && refusal_of(1).empty() && refusal_of(-1).find("extent = -1") != std::string::npos;
    std::string here;
    try {
      tpx::fail("said here");
    } catch (const tpx::Error& error) {
      here = error.what();
    }
    good = good && here == "said here";
  }
  if (MPI_Finalize() != MPI_SUCCESS) return 1;
  std::puts(good ? "consumer: all good" : "consumer: wrong");
  return good ? 0 : 1;
}
