// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <mpi.h>

#include <doctest/doctest.h>
#include <cstddef>
#include <string>
#include <vector>

/// doctest under MPI: every rank runs every case; tests/mpi_main.cpp reports for all of them.
namespace tpx::test {

/// This process in MPI_COMM_WORLD.
inline int rank() {
  int value = -1;
  REQUIRE(MPI_Comm_rank(MPI_COMM_WORLD, &value) == MPI_SUCCESS);
  return value;
}

/// The number of processes in MPI_COMM_WORLD.
inline int ranks() {
  int value = 0;
  REQUIRE(MPI_Comm_size(MPI_COMM_WORLD, &value) == MPI_SUCCESS);
  return value;
}

/// The ranks on which `mine` is false, "1, 3"; empty when there is none.
///
/// @post  the same text on every rank
/// @comm  one all-gather of an int
inline std::string ranks_where_false(bool mine) {
  std::vector<int> all(static_cast<std::size_t>(ranks()));
  const int value = mine ? 1 : 0;
  REQUIRE(MPI_Allgather(&value, 1, MPI_INT, all.data(), 1, MPI_INT, MPI_COMM_WORLD) == MPI_SUCCESS);
  std::string text;
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (all[r] == 0) text += (text.empty() ? "" : ", ") + std::to_string(r);
  }
  return text;
}

}  // namespace tpx::test

/// REQUIRE for a fact that may differ from rank to rank: all ranks agree on it first and then fail together,
/// naming the ranks where it is false. With a plain REQUIRE the failing rank leaves the case, and the others
/// wait for it in their next collective. An exception counts as false.
#define TPX_REQUIRE_ALL(...)                                                                              \
  do {                                                                                                    \
    bool tpx_holds = false;                                                                               \
    std::string tpx_thrown;                                                                               \
    try {                                                                                                 \
      tpx_holds = static_cast<bool>(__VA_ARGS__);                                                         \
    } catch (const std::exception& error) {                                                               \
      tpx_thrown = std::string("; here it threw: ") + error.what();                                       \
    }                                                                                                     \
    const std::string tpx_where = ::tpx::test::ranks_where_false(tpx_holds);                              \
    REQUIRE_MESSAGE(tpx_where.empty(), "false on rank " << tpx_where << ": " #__VA_ARGS__ << tpx_thrown); \
  } while (false)
