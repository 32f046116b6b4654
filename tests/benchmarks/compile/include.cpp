// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <mpi.h>

#include <Kokkos_Core.hpp>
#include <tpx/tpx.hpp>

int main() { return 0; }
