// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace tpx::test {

/// How often this process has called a function of MPI that tpx uses, on any thread. Link count_mpi_calls.cpp.
long mpi_calls();

}  // namespace tpx::test
