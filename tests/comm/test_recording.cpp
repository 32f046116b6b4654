// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/recording.hpp>

#include <doctest/doctest.h>

#include <array>
#include <sstream>
#include <string>
#include <vector>

#include <tpx/comm/abstract.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/comm/threads.hpp>

#include "count_allocations.hpp"
#include "suite.hpp"

using tpx::Element;
using tpx::comm::Abstract;
using tpx::comm::Collective;
using tpx::comm::CommCall;
using tpx::comm::CommEntry;
using tpx::comm::CommLog;
using tpx::comm::Recording;
using tpx::comm::Reduction;
using tpx::comm::Self;
using tpx::comm::Threads;

static_assert(tpx::comm::Communicator<Recording<Self>>);
static_assert(tpx::comm::Communicator<Recording<Threads>>);
static_assert(tpx::comm::Communicator<Recording<Recording<Abstract>>>);
static_assert(Recording<Self>::host_driven && !Recording<Abstract>::host_driven);

namespace {

/// A row and a column of a 2 x 2 grid, some calls on each.
template <class Comm>
void program(const Recording<Comm>& world) {
  const int rank = world.rank();
  const std::vector<int> row{rank / 2 * 2, rank / 2 * 2 + 1};
  const std::vector<int> column{rank % 2, rank % 2 + 2};
  Recording<Comm> tp = world.subgroup(row);
  Recording<Comm> dp = world.subgroup(column);
  tp.set_label("tp");
  dp.set_label("dp");
  std::vector<float> a(64);
  std::vector<float> b(64);
  tp.all_reduce(a.data(), a.data(), 10, Element::f32, Reduction::sum);
  tp.all_reduce(a.data(), b.data(), 20, Element::f32, Reduction::max);
  tp.all_gather(a.data(), b.data(), 3, Element::f32);
  tp.reduce_scatter(a.data(), b.data(), 5, Element::f64, Reduction::sum);
  dp.all_to_all(a.data(), b.data(), 7, Element::i32);
  const std::vector<std::int64_t> counts{4, 0};
  tp.all_gather(a.data(), b.data(), counts, Element::f32);
  tp.reduce_scatter(a.data(), b.data(), counts, Element::f32, Reduction::sum);
  // Each sends to the second: 3 elements leave either rank, none come to the first and 6 to the second.
  const std::vector<std::int64_t> sent{0, 3};
  const std::vector<std::int64_t> received(2, dp.rank() == 1 ? 3 : 0);
  dp.all_to_all(a.data(), sent, b.data(), received, Element::i32);
  dp.broadcast(a.data(), 11, Element::u8, 1);
  dp.send_recv(a.data(), 13, 1 - dp.rank(), b.data(), 13, 1 - dp.rank(), Element::i64, 0);
  world.barrier();
}

std::vector<CommEntry> expected(int rank) {
  const std::int64_t exchanged = 14 + (rank / 2 == 0 ? 3 : 6);
  return {{"dp", Collective::all_to_all, 2, 2, exchanged, 4 * exchanged},
          {"dp", Collective::broadcast, 2, 1, 11, 11},
          {"dp", Collective::send_recv, 2, 1, 13, 104},
          {"tp", Collective::all_reduce, 2, 2, 30, 120},
          {"tp", Collective::all_gather, 2, 2, 10, 40},
          {"tp", Collective::reduce_scatter, 2, 2, 14, 96},
          {"world", Collective::barrier, 4, 1, 0, 0}};
}

}  // namespace

TEST_CASE("recording: calls, elements and bytes by label, on each rank") {
  std::array<bool, 4> right{};
  tpx::comm::run_threads(4, [&](Threads threads) {
    const Recording<Threads> world(std::move(threads));
    program(world);
    right[static_cast<std::size_t>(world.rank())] = world.log().entries() == expected(world.rank());
  });
  for (const bool rank : right) CHECK(rank);
}

TEST_CASE("recording: the abstract communicator predicts the same") {
  for (int rank = 0; rank < 4; ++rank) {
    const Recording<Abstract> world(Abstract(4, rank));
    program(world);
    CHECK(world.log().entries() == expected(rank));
  }
}

TEST_CASE("recording: it changes nothing in what it wraps") {
  CHECK(suite::collectives<float>(Recording<Self>(Self()), 1000) == "");
  std::array<std::string, 3> found;
  tpx::comm::run_threads(3, [&](Threads threads) {
    const int rank = threads.rank();
    const Recording<Threads> world(std::move(threads));
    found[static_cast<std::size_t>(rank)] = suite::collectives<double>(world, 1000) +
                                            suite::unequal_groups(world) +
                                            suite::messages_keep_their_order(world) + suite::agreement(world);
  });
  for (const std::string& text : found) CHECK(text == "");
}

TEST_CASE("recording: totals, clearing and comparing") {
  const Recording<Abstract> world(Abstract(4));
  program(world);
  CommLog& log = world.log();
  CHECK(log.total("tp", Collective::all_reduce).calls == 2);
  CHECK(log.total("tp", Collective::all_reduce).elements == 30);
  CHECK(log.total("tp", Collective::all_reduce).bytes == 120);
  CHECK(log.total("tp", Collective::broadcast).calls == 0);
  CHECK(log.total("pp", Collective::all_reduce).calls == 0);

  const CommLog snapshot = log;
  CHECK(snapshot == log);
  world.barrier();
  CHECK(snapshot != log);
  log.clear();
  CHECK(log.entries().empty());
  program(world);
  CHECK(snapshot == log);

  // Labels are compared as text, whatever the order they came in.
  CommLog other;
  other.add(other.label("b"), Collective::barrier, 2, 0, Element::u8);
  other.add(other.label("a"), Collective::barrier, 2, 0, Element::u8);
  CommLog reversed;
  reversed.add(reversed.label("a"), Collective::barrier, 2, 0, Element::u8);
  reversed.add(reversed.label("b"), Collective::barrier, 2, 0, Element::u8);
  CHECK(other == reversed);
  CHECK(other != snapshot);
}

TEST_CASE("recording: the order is kept when asked for") {
  Recording<Abstract> world(Abstract(3));
  world.set_label("tp");
  world.barrier();
  world.log().keep_order(true);
  world.broadcast(nullptr, 4, Element::f64, 2);
  world.all_gather(nullptr, nullptr, 4, Element::f32);
  world.log().keep_order(false);
  world.barrier();
  const std::vector<CommCall> calls{{"tp", Collective::broadcast, 3, 4, Element::f64},
                                    {"tp", Collective::all_gather, 3, 12, Element::f32}};
  CHECK(world.log().calls() == calls);
}

TEST_CASE("recording: a table") {
  Recording<Abstract> world(Abstract(2));
  std::ostringstream empty;
  empty << world.log();
  CHECK(empty.str() == "no communication\n");
  world.set_label("dp,tp");
  world.all_reduce(nullptr, nullptr, 1000, Element::f32, Reduction::sum);
  std::ostringstream table;
  table << world.log();
  CHECK(table.str() ==
        "label  collective       ranks     calls        elements             bytes\n"
        "dp,tp  all_reduce           2         1            1000              4000\n");
}

TEST_CASE("recording: a failed call shows") {
  const Recording<Self> self{Self()};
  CHECK_THROWS_AS(self.broadcast(nullptr, 3, Element::f32, 0), tpx::Error);
  CHECK(self.log().total("world", Collective::broadcast).calls == 1);
}

TEST_CASE("recording: in the steady state nothing is allocated") {
  const Recording<Self> self{Self()};
  std::vector<float> a(8);
  std::vector<float> b(8);
  const auto step = [&] {
    self.all_reduce(a.data(), b.data(), 8, Element::f32, Reduction::sum);
    self.all_gather(a.data(), b.data(), 8, Element::f32);
    self.send_recv(a.data(), 8, 0, b.data(), 8, 0, Element::f32, 0);
    self.barrier();
  };
  step();
  const long before = allocations();
  for (int i = 0; i < 100; ++i) step();
  self.log().clear();
  step();
  CHECK(allocations() == before);
  CHECK(self.log().total("world", Collective::barrier).calls == 1);
}

TEST_CASE("threads: in the steady state nothing is allocated") {
  std::vector<long> made(3, -1);
  tpx::comm::run_threads(3, [&](Threads world) {
    std::vector<float> a(3000);
    std::vector<float> b(9000);
    const int next = (world.rank() + 1) % 3;
    const int previous = (world.rank() + 2) % 3;
    const auto step = [&] {
      world.all_reduce(a.data(), a.data(), 3000, Element::f32, Reduction::sum);
      world.all_gather(a.data(), b.data(), 3000, Element::f32);
      world.reduce_scatter(b.data(), a.data(), 1000, Element::f32, Reduction::sum);
      world.send_recv(a.data(), 3000, next, b.data(), 3000, previous, Element::f32, 0);
      world.barrier();
    };
    step();
    world.barrier();
    const long before = allocations();
    world.barrier();
    for (int i = 0; i < 20; ++i) step();
    made[static_cast<std::size_t>(world.rank())] = allocations() - before;
    world.barrier();
  });
  for (const long each : made) CHECK(each == 0);
}
