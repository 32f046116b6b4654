// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/mpi.hpp>

#include <doctest/doctest.h>

#include "suite.hpp"

// Not under mpiexec, and the test's main does not start MPI: this file does, and ends it.
TEST_CASE("mpi: a communicator is made while MPI runs, and may outlive it") {
  const auto world = [] { tpx::comm::Mpi::world(); };
  const auto adopt = [] { tpx::comm::Mpi::adopt(MPI_COMM_NULL); };
  CHECK(suite::contains(suite::error_of(world), "MPI must be initialised before"));
  CHECK(suite::contains(suite::error_of(adopt), "MPI must be initialised before"));

  REQUIRE(MPI_Init(nullptr, nullptr) == MPI_SUCCESS);
  {
    const tpx::comm::Mpi left = tpx::comm::Mpi::world();
    CHECK(left.size() == 1);
    REQUIRE(MPI_Finalize() == MPI_SUCCESS);
  }  // freed here, it would take the process down

  CHECK(suite::contains(suite::error_of(world), "MPI must not be finalised before"));
}
