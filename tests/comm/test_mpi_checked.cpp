// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The communicator over MPI with checks that communicate.
#undef TPX_CHECK_LEVEL
#define TPX_CHECK_LEVEL 3
#include <tpx/comm/mpi.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "suite.hpp"

using tpx::Element;
using tpx::comm::Mpi;
using tpx::comm::Reduction;

TEST_CASE("checked mpi: it does what it does unchecked") {
  const Mpi world = Mpi::world();
  CHECK(suite::collectives<float>(world, 7) == "");
  CHECK(suite::collectives<double>(world, 1000) == "");
  CHECK(suite::bad_arguments(world) == "");
  CHECK(suite::unequal_groups(world) == "");
}

TEST_CASE("checked mpi: collectives that differ are an error on all ranks, which name both and may go on") {
  Mpi world = Mpi::world();
  if (world.size() == 1) return;
  world.set_label("tp");
  const int last = world.size() - 1;
  std::vector<double> x(100);
  std::vector<double> y(100);
  const auto contains = [](const std::string& text, const std::string& part) {
    CHECK_MESSAGE(suite::contains(text, part), text);
  };
  tpx::detail::op_in_progress() = world.rank() == last ? "tpx::embedding" : "tpx::matmul";
  const std::string kinds = suite::error_of([&] {
    if (world.rank() == last) {
      world.broadcast(x.data(), 1, Element::f64, 1);
    } else {
      world.all_reduce(x.data(), x.data(), 90, Element::f64, Reduction::max);
    }
  });
  contains(kinds,
           "the ranks of a group make the same call over tp: rank 0 is in all_reduce of 90 f64 (max), called "
           "by tpx::matmul, rank " +
               std::to_string(last) +
               " in broadcast of 1 f64, root 1, called by "
               "tpx::embedding");
  tpx::detail::op_in_progress() = "";
  const std::string sizes =
      suite::error_of([&] { world.all_gather(x.data(), y.data(), world.rank() == 0 ? 0 : 7, Element::u8); });
  contains(sizes, "rank 0 is in all_gather of 0 u8, rank 1 in all_gather of 7 u8");
  const std::string blocks = suite::error_of([&] {
    const std::int64_t more = world.rank() == 0 ? 3 : 2;
    std::vector<std::int64_t> counts(static_cast<std::size_t>(world.size()), 0);
    counts[0] = more;
    counts[1] = 5 - more;
    world.reduce_scatter(x.data(), y.data(), counts, Element::f32, Reduction::sum);
  });
  contains(blocks, "in reduce_scatter of 5 f32 in uneven blocks of other sizes");
  const std::string barrier = suite::error_of([&] {
    if (world.rank() == 0) world.barrier();
    if (world.rank() != 0) world.all_reduce(x.data(), x.data(), 5, Element::i32, Reduction::sum);
  });
  contains(barrier, "rank 0 is in barrier, rank 1 in all_reduce of 5 i32");
  CHECK(suite::collectives<float>(world, 1000) == "");
}
