// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the ranks check together when they are asked to.
#undef TPX_CHECK_LEVEL
#define TPX_CHECK_LEVEL 3
#include <tpx/tensor/view.hpp>

#include <utility>

#include "support/distributed.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

TEST_CASE("Views that differ on one rank are refused on every rank, whichever axis it differs on") {
  for_each_mesh([](const World&, const auto& mesh) {
    using Exec = typename std::decay_t<decltype(mesh)>::execution_space;
    for (int odd = 0; odd < mesh.size(); ++odd) {
      const bool mine = mesh.rank() == odd;
      const Kokkos::View<double**, Exec> view("view", 3, mine ? 5 : 4);
      const Kokkos::View<double**, Exec> wide("wide", 3, 8);
      const auto some = Kokkos::subview(wide, Kokkos::ALL(), std::pair(0, 4));
      if (mesh.size() == 1) {
        CHECK(wrap(mesh, layout<Shard<0, tp>>, view).data() == view.data());
        continue;
      }
      CHECK_THROWS_WITH_AS(
          wrap(mesh, layout<Shard<0, tp>>, view),
          doctest::Contains("d = 1; least[d] = 4; most[d] = 5; all ranks' Views have equal extents"), Error);
      const Kokkos::View<double**, Exec> same("same", 3, 4);
      CHECK(wrap(mesh, layout<Shard<0, dp, tp>>, same).shape() == Shape{3 * mesh.size(), 4});
      // The subview of rank `odd` alone has gaps.
      CHECK_THROWS_WITH_AS(
          wrap(mesh, layout<>, mine ? some : Kokkos::subview(same, Kokkos::ALL(), std::pair(0, 4))),
          doctest::Contains("all ranks' Views are dense"), Error);
    }
  });
}
