// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/abstract.hpp>

#include <doctest/doctest.h>

#include <type_traits>
#include <vector>

#include "suite.hpp"

using tpx::Element;
using tpx::comm::Abstract;
using tpx::comm::Reduction;

static_assert(tpx::comm::Communicator<Abstract>);
static_assert(!Abstract::host_driven);
static_assert(!std::is_copy_constructible_v<Abstract>);

TEST_CASE("abstract: it has a size and a rank, and its groups too") {
  const Abstract world(64, 21);
  CHECK(world.size() == 64);
  CHECK(world.rank() == 21);
  CHECK(world.duplicate().rank() == 21);
  const std::vector<int> members{5, 13, 21, 29};
  const Abstract group = world.subgroup(members);
  CHECK(group.size() == 4);
  CHECK(group.rank() == 2);
}

TEST_CASE("abstract: it moves nothing, and needs no memory") {
  const Abstract world(8, 3);
  std::vector<float> a{1, 2};
  std::vector<float> b{3, 4};
  world.all_reduce(a.data(), b.data(), 2, Element::f32, Reduction::sum);
  world.broadcast(a.data(), 2, Element::f32, 0);
  world.send_recv(a.data(), 2, 4, b.data(), 2, 2, Element::f32, 0);
  CHECK(a == std::vector<float>{1, 2});
  CHECK(b == std::vector<float>{3, 4});
  const std::int64_t huge = std::int64_t{1} << 40;
  world.all_reduce(nullptr, nullptr, huge, Element::f32, Reduction::sum);
  world.all_gather(nullptr, nullptr, huge, Element::f32);
  world.reduce_scatter(nullptr, nullptr, huge, Element::f32, Reduction::sum);
  world.all_to_all(nullptr, nullptr, huge, Element::f32);
  const std::vector<std::int64_t> counts{huge, 0, 1, 2, 3, 4, 5, 6};
  world.all_gather(nullptr, nullptr, counts, Element::f32);
  world.reduce_scatter(nullptr, nullptr, counts, Element::f32, Reduction::sum);
  world.all_to_all(nullptr, counts, nullptr, counts, Element::f32);
  world.barrier();
}

TEST_CASE("abstract: agreeing is this rank's own answer") {
  const Abstract world(8, 3);
  CHECK(tpx::comm::agree(world, true));
  CHECK(!tpx::comm::agree(world, false));
  CHECK(suite::error_of([&] { tpx::comm::throw_together(world, ""); }) == "(none)");
  CHECK(suite::error_of([&] { tpx::comm::throw_together(world, "no"); }) == "no [on rank 3 of 8]");
}

TEST_CASE("abstract: misuse is refused as elsewhere") {
  const Abstract world(8, 3);
  const auto text = [](auto call) { return suite::error_of(call); };
  CHECK(suite::contains(text([&] { world.all_gather(nullptr, nullptr, -1, Element::f32); }), "count = -1"));
  CHECK(suite::contains(text([&] { world.broadcast(nullptr, 1, Element::f32, 8); }), "root = 8"));
  CHECK(suite::contains(text([&] { world.send(nullptr, 1, Element::f32, -1, 0); }), "to = -1"));
  CHECK(suite::contains(text([&] { world.recv(nullptr, 1, Element::f32, 9, 0); }), "from = 9"));
  const std::vector<std::int64_t> few{1, 2, 3};
  CHECK(suite::contains(text([&] { world.all_gather(nullptr, nullptr, few, Element::f32); }),
                        "one count for each rank; ranks = 8, counts = 3"));
  const std::vector<int> without{0, 1};
  CHECK(suite::contains(text([&] { world.subgroup(without); }), "the calling rank is a member; rank = 3"));
  CHECK(suite::contains(text([] { Abstract(0); }), "at least one rank"));
  CHECK(suite::contains(text([] { Abstract(2, 2); }), "rank = 2"));
}
