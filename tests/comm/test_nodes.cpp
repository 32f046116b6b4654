// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/nodes.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/recording.hpp>
#include <tpx/ops/reduce.hpp>

#include "count_allocations.hpp"
#include "suite.hpp"
#include "support/check_op.hpp"
#include "support/reference.hpp"

using tpx::Element;
using tpx::comm::Collective;
using tpx::comm::Mpi;
using Nodes = tpx::comm::Nodes<Mpi>;
using Across = tpx::comm::Recording<Mpi>;  // counts what goes from node to node
using World = tpx::comm::Recording<tpx::comm::Nodes<Across>>;

static_assert(tpx::comm::Communicator<Nodes>);
static_assert(tpx::comm::Communicator<tpx::comm::Recording<Nodes>>);

namespace {

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
    check(node_of);
  }
}

tpx::comm::Node my_node(const std::vector<int>& node_of) {
  return tpx::comm::node_named(node_of[static_cast<std::size_t>(Mpi::world().rank())]);
}
Nodes told(const std::vector<int>& node_of) { return Nodes::over(Mpi::world(), my_node(node_of)); }

/// Sums whose bits depend on the order of the terms are taken in the order that Nodes says, on every rank and
/// again.
template <class T>
std::string sums_in_order(const Nodes& world, const std::vector<int>& node_of, std::int64_t n) {
  const int p = world.size();
  const auto term = [](int rank, std::int64_t i) {
    return T(1) / static_cast<T>(1 + (i * 7919 + rank * 104729) % 1000);
  };
  bool order_matters = p < 3;
  const auto right = [&](std::int64_t i) {
    T all = 0, turned = 0;
    for (int first = 0; first < p; ++first) {
      const auto its = node_of.begin() + first;
      turned += term(p - 1 - first, i);
      if (std::find(node_of.begin(), its, *its) != its) continue;
      T sum = term(first, i);
      for (int r = first + 1; r < p; ++r)
        if (node_of[static_cast<std::size_t>(r)] == *its) sum += term(r, i);
      all = first == 0 ? sum : all + sum;
    }
    order_matters = order_matters || all != turned;
    return all;
  };
  suite::Differences found;
  std::vector<T> x;
  for (std::int64_t i = 0; i < p * n; ++i) x.push_back(term(world.rank(), i));
  std::vector<T> sum = suite::Differences::room<T>(n), first;
  for (int again = 0; again < 2; ++again) {
    world.all_reduce(x.data(), sum.data(), n, tpx::element_v<T>, tpx::Reduction::sum);
    if (again == 0) first = sum;
    found.expect("all_reduce: other bits in another run", sum == first);
    world.broadcast(first.data(), n, tpx::element_v<T>, p - 1);
    found.expect("all_reduce: other bits on another rank", sum == first);
    // Where no ranks share a node, the order is MPI's.
    if (world.nodes() < p) found.compare("all_reduce", sum, n, right);
    world.reduce_scatter(x.data(), sum.data(), n, tpx::element_v<T>, tpx::Reduction::sum);
    if (world.nodes() < p)
      found.compare("reduce_scatter", sum, n, [&](std::int64_t i) { return right(world.rank() * n + i); });
  }
  found.expect("the order of the terms makes no difference", order_matters || world.nodes() == p);
  return found.text();
}

using namespace tpx::axes;

/// Of this launch: dp is the larger half of an even number of ranks above 2.
std::vector<int> mesh_sizes(int ranks) {
  const int outer = ranks > 2 && ranks % 2 == 0 ? 2 : 1;
  return {outer, ranks / outer};
}

/// x (12, 12) w (12, 24) v (24, 12) and its column sums: rows of x are split over all ranks, the weights over
/// tp; forward and backward against plain loops. `between` runs after it, before anything is gathered.
template <class T, class Mesh, class Between>
void check_products(const Mesh& mesh, Between between) {
  using namespace tpx;
  const auto values = [](std::int64_t count, unsigned seed) { return test::random_values(count, seed); };
  const test::Values x = values(12 * 12, 1), w = values(12 * 24, 2), v = values(24 * 12, 3),
                     dy = values(12 * 12, 4);
  Tape<Mesh> tape(mesh);
  const auto a = tape.watch(test::put(mesh, test::given<T>(layout<Shard<0, dp, tp>>, {12, 12}, x)));
  const auto b = tape.watch(test::put(mesh, test::given<T>(layout<Replicate<dp>, Shard<1, tp>>, {12, 24}, w)));
  const auto c = tape.watch(test::put(mesh, test::given<T>(layout<Replicate<dp>, Shard<0, tp>>, {24, 12}, v)));
  const auto h = matmul(redistribute<layout_t<Shard<0, dp>, Replicate<tp>>>(a), b);
  const auto y = redistribute<layout_t<Shard<0, dp, tp>>>(matmul(h, c));
  const auto turned = redistribute<layout_t<Shard<0, dp>, Shard<1, tp>>>(y);
  backward(test::weighted_sum(turned, dy));
  const auto db = redistribute<layout_t<Replicate<dp>, Shard<1, tp>>>(tape.gradient(b));
  const auto sums = redistribute<layout_t<>>(sum<0>(y));
  between();
  const reference::Array hidden = reference::matmul(x, w, 12, 24, 12);
  const auto second = reference::matmul_backward(hidden, v, dy, 12, 12, 24);
  const auto first = reference::matmul_backward(x, w, second.da, 12, 24, 12);
  const reference::Array product = reference::matmul(hidden, v, 12, 12, 24);
  CHECK(test::off(local_values(sums), reference::bias_gradient(product, 12, 12)) <= test::tolerance<T>);
  CHECK(test::off(gather(turned), product) <= test::tolerance<T>);
  CHECK(test::off(gather(tape.gradient(a)), first.da) <= test::tolerance<T>);
  CHECK(test::off(gather(db), first.db) <= test::tolerance<T>);
  CHECK(test::off(gather(tape.gradient(c)), second.db) <= test::tolerance<T>);
}

}  // namespace

TEST_CASE("nodes: every collective, however the ranks are arranged") {
  for_each_arrangement([](const std::vector<int>& node_of) {
    const Nodes world = told(node_of);
    for (const std::int64_t n : {0, 1, 7, 1000, 50000}) CHECK(suite::collectives<float>(world, n) == "");
    for (const std::int64_t n : {7, 4096}) CHECK(suite::collectives<double>(world, n) == "");
    CHECK(suite::collectives<std::int64_t>(world, 4096) == "");
    CHECK(suite::collectives<tpx::bfloat16>(world, 1000) == "");
    CHECK(suite::sums_of_bfloat16(world, 1000) == "");
    CHECK(suite::nothing(world) == "");
    CHECK(suite::agreement(world) == "");
    CHECK(suite::messages_keep_their_order(world) == "");
    CHECK(suite::bad_arguments(world) == "");
    if (world.size() > 1) CHECK(suite::contradictory_blocks(world, world.nodes() == 1) == "");
  });
}

TEST_CASE_TEMPLATE("nodes: a sum has the same bits on every rank and in every run", T, float, double) {
  for_each_arrangement([](const std::vector<int>& node_of) {
    const Nodes world = told(node_of);
    for (const std::int64_t n : {100, 3001, 140000}) CHECK(sums_in_order<T>(world, node_of, n) == "");
  });
}

TEST_CASE("nodes: the steady state allocates nothing, nor do sums of bfloat16 over MPI") {
  for_each_arrangement([](const std::vector<int>& node_of) {
    const Nodes world = told(node_of);
    const Mpi mpi = Mpi::world();
    const std::int64_t n = 5000;
    std::vector<double> in(static_cast<std::size_t>(n * world.size()), 1.0), out(in.size());
    std::vector<std::int64_t> counts(static_cast<std::size_t>(world.size()), n);
    counts[0] = 7;
    const auto sum = [&](const auto& comm, Element element) {
      comm.all_reduce(in.data(), out.data(), n, element, tpx::Reduction::sum);
      comm.reduce_scatter(in.data(), out.data(), n, element, tpx::Reduction::sum);
      comm.reduce_scatter(in.data(), out.data(), counts, element, tpx::Reduction::sum);
    };
    long before = 0;
    for (int again = 0; again < 2; ++again) {
      before = allocations();
      for (const Element element : {Element::f64, Element::bf16}) sum(world, element);
      sum(mpi, Element::bf16);
      world.all_gather(in.data(), out.data(), n, Element::f64);
      world.all_gather(in.data(), out.data(), counts, Element::f64);
      world.all_to_all(in.data(), out.data(), n, Element::f64);
      world.broadcast(out.data(), n, Element::f64, world.size() - 1);
      world.barrier();
    }
    CHECK(allocations() == before);
  });
}

TEST_CASE("nodes: groups are a node's own where they lie within it") {
  for_each_arrangement([](const std::vector<int>& node_of) {
    const Nodes world = told(node_of);
    CHECK(suite::rows_and_columns(world, 1, world.size()) == "");
    if (world.size() == 4) CHECK(suite::rows_and_columns(world, 2, 2) == "");
    CHECK(suite::unequal_groups(world) == "");
    if (world.size() > 1) CHECK(suite::contradictory_groups(world) == "");
    const int nodes = static_cast<int>(std::set<int>(node_of.begin(), node_of.end()).size());
    CHECK(world.nodes() == nodes);
    if (nodes == world.size()) {
      CHECK(!world.symmetric_memory());
      return;
    }
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
      return group.read_in_place(Collective::all_gather, memory.get(), 1024, 1024, Element::f32,
                                 [](std::span<const void* const>) {});
    };
    CHECK(reads(node) == (node.size() > 1));
    CHECK(reads(world) == (nodes == 1));
  });
}

TEST_CASE_TEMPLATE("nodes: a mesh over them computes what one rank does", T, float, double) {
  for_each_arrangement([](const std::vector<int>& node_of) {
    const World world(tpx::comm::Nodes<Across>::over(Across(Mpi::world()), my_node(node_of)));
    check_products<T>(tpx::make_mesh<dp, tp>(world, mesh_sizes(world.size())), [] {});
  });
}

TEST_CASE("nodes: ranks dealt out in turn are put together, so that tp lies within a node") {
  const Across all(Mpi::world());
  if (all.size() != 4) return;
  const std::vector<int> node_of = arrangement(1, 4);
  const World dealt(tpx::comm::Nodes<Across>::over(all.duplicate(), my_node(node_of)));
  CHECK(tpx::make_mesh<dp, tp>(dealt, {2, 2}).communicator<tp>().inner().nodes() == 2);

  const auto together = tpx::comm::by_node(all, my_node(node_of));
  CHECK(together.rank() == std::vector<int>{0, 2, 1, 3}[static_cast<std::size_t>(all.rank())]);
  const World world(tpx::comm::Nodes<Across>::over(together.duplicate(), my_node(node_of)));
  const auto mesh = tpx::make_mesh<dp, tp>(world, {2, 2});
  CHECK(mesh.communicator<tp>().inner().nodes() == 1);
  CHECK(mesh.communicator<dp>().inner().nodes() == 2);
  world.log().clear();
  all.log().clear();
  check_products<double>(mesh, [&] {
    const tpx::comm::CommLog called = world.log(), crossed = all.log();
    // Over tp nothing goes from node to node, over dp everything; of the sum over all, each of a node's two
    // ranks sends half the terms and receives half the sums.
    CHECK(called.total("tp", Collective::all_gather).calls == 2);
    CHECK(called.total("tp", Collective::reduce_scatter).calls == 2);
    CHECK(called.total("tp", Collective::all_to_all).calls == 2);
    for (const tpx::comm::CommEntry& entry : crossed.entries()) CHECK(entry.label != "tp");
    CHECK(called.total("dp", Collective::all_reduce).elements == 12 * 12);
    CHECK(called.total("dp", Collective::all_reduce) == crossed.total("dp", Collective::all_reduce));
    CHECK(called.total("dp,tp", Collective::all_reduce).elements == 12);
    CHECK(crossed.total("dp,tp", Collective::all_reduce).calls == 0);
    CHECK(crossed.total("dp,tp", Collective::all_to_all).elements == 6);
    CHECK(crossed.total("dp,tp", Collective::all_gather).elements == 6);
  });
}
