// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/comm/communicator.hpp>
#include <tpx/comm/mpi_support.hpp>

namespace tpx::comm::detail {

/// Of all elements but bfloat16, of which MPI has no reductions.
inline MPI_Op mpi_op(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return MPI_SUM;
    case Reduction::max:
      return MPI_MAX;
    case Reduction::min:
      return MPI_MIN;
  }
  return MPI_OP_NULL;
}

}  // namespace tpx::comm::detail
