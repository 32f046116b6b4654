// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <Kokkos_Core.hpp>

#include "support/mpi_doctest.hpp"

TEST_CASE("an all-reduce sums over the ranks") {
  const int mine = tpx::test::rank() + 1;
  int sum = 0;
  REQUIRE(MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS);
  const int n = tpx::test::ranks();
  CHECK(sum == n * (n + 1) / 2);
}

TEST_CASE("a kernel writes every element") {
  const int n = 1000;
  Kokkos::View<int*> squares("squares", n);
  Kokkos::parallel_for(
      "square", n, KOKKOS_LAMBDA(int i) { squares(i) = i * i; });
  auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), squares);
  for (int i = 0; i < n; ++i) REQUIRE(host(i) == i * i);
}

TEST_CASE("what differs between ranks is named by rank") {
  const int last = tpx::test::ranks() - 1;
  CHECK(tpx::test::ranks_where_false(true).empty());
  CHECK(tpx::test::ranks_where_false(tpx::test::rank() != last) == std::to_string(last));
  TPX_REQUIRE_ALL(tpx::test::rank() >= 0);
}
