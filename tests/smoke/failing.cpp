// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cases that fail on the last rank only, each in its own way; tests/smoke/exits.cmake demands that they do.
#include <stdexcept>

#include <tpx/kernel/gemm_call.hpp>

#include "support/mpi_doctest.hpp"

namespace {
bool on_last_rank() { return tpx::test::rank() == tpx::test::ranks() - 1; }
}  // namespace

TEST_CASE("passes") { CHECK(tpx::test::ranks() > 0); }

TEST_CASE("check") { CHECK(!on_last_rank()); }

TEST_CASE("throw") {
  if (on_last_rank()) throw std::runtime_error("thrown on the last rank");
}

TEST_CASE("slow") { tpx::kernel::gemm_native_calls() += on_last_rank() ? 3 : 0; }

TEST_CASE("require") {
  TPX_REQUIRE_ALL(!on_last_rank());
  // Only reached by a rank that did not learn of the failure, which would wait here for the others.
  MPI_Barrier(MPI_COMM_WORLD);
}
