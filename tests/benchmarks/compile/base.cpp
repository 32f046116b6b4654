// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What every program on Kokkos and MPI includes anyway.
#include <mpi.h>

#include <Kokkos_Core.hpp>

int main() { return 0; }
