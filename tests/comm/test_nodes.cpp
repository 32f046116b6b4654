// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/nodes.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/recording.hpp>

#include "suite.hpp"

using tpx::Element;
using tpx::comm::Mpi;
using tpx::comm::Node;
using Nodes = tpx::comm::Nodes<Mpi>;

static_assert(tpx::comm::Communicator<Nodes>);
static_assert(tpx::comm::Communicator<tpx::comm::Recording<Nodes>>);

namespace {

/// The ranks are told that they are on the node `number`.
Nodes on_node(int number) {
  Node node{};
  node[0] = static_cast<char>('a' + number);
  return Nodes::over(Mpi::world(), node);
}

/// Ranks 0 and 1 on one node, 2 and 3 on another; alternating; all but the last on one; all on one.
std::vector<int> arrangement(int which, int ranks) {
  std::vector<int> node_of;
  for (int r = 0; r < ranks; ++r) {
    if (which == 0) node_of.push_back(r / 2);
    if (which == 1) node_of.push_back(r % 2);
    if (which == 2) node_of.push_back(r == ranks - 1 ? 1 : 0);
    if (which == 3) node_of.push_back(0);
  }
  return node_of;
}

template <class Check>
void for_each_arrangement(Check check) {
  const Mpi mpi = Mpi::world();
  for (int which = 0; which < 4; ++which) {
    CAPTURE(which);
    const std::vector<int> node_of = arrangement(which, mpi.size());
    check(on_node(node_of[static_cast<std::size_t>(mpi.rank())]), node_of);
  }
}

}  // namespace

TEST_CASE("nodes: every collective, however the ranks are arranged") {
  for_each_arrangement([](const Nodes& world, const std::vector<int>&) {
    for (const std::int64_t n : {0, 1, 7, 1000, 50000}) CHECK(suite::collectives<float>(world, n) == "");
    CHECK(suite::collectives<std::int64_t>(world, 4096) == "");
    CHECK(suite::collectives<tpx::bfloat16>(world, 1000) == "");
    CHECK(suite::sums_of_bfloat16(world, 1000, world.nodes() == 1) == "");
    CHECK(suite::nothing(world) == "");
    CHECK(suite::agreement(world) == "");
    CHECK(suite::messages_keep_their_order(world) == "");
    CHECK(suite::bad_arguments(world) == "");
  });
}

TEST_CASE("nodes: groups are a node's own where they lie within it") {
  for_each_arrangement([](const Nodes& world, const std::vector<int>& node_of) {
    CHECK(suite::rows_and_columns(world, 1, world.size()) == "");
    if (world.size() == 4) CHECK(suite::rows_and_columns(world, 2, 2) == "");
    CHECK(suite::unequal_groups(world) == "");
    if (world.size() > 1) CHECK(suite::contradictory_groups(world) == "");
    const int nodes = static_cast<int>(std::set<int>(node_of.begin(), node_of.end()).size());
    CHECK(world.nodes() == nodes);
    std::vector<int> together;
    const int mine = node_of[static_cast<std::size_t>(world.rank())];
    for (int r = 0; r < world.size(); ++r)
      if (node_of[static_cast<std::size_t>(r)] == mine) together.push_back(r);
    const Nodes node = world.subgroup(together);
    CHECK(node.nodes() == 1);
    // What is read in place on the node is not across nodes.
    const std::shared_ptr<void> memory = world.symmetric_memory()(4096);
    REQUIRE(memory != nullptr);
    const auto reads = [&](const Nodes& group) {
      return group.read_in_place(tpx::comm::Collective::all_gather, memory.get(), 1024, 1024, Element::f32,
                                 [](std::span<const void* const>) {});
    };
    CHECK(reads(node));
    CHECK(reads(world) == (nodes == 1));
  });
}
