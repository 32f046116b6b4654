// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/tensor/run_plan.hpp>

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include <tpx/comm/shared_memory.hpp>
#include <tpx/comm/threads.hpp>
#include <tpx/layout/ragged.hpp>

#include "layout/specs.hpp"
#include "support/distributed.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// Elements that this rank's collectives moved since the log was cleared.
std::int64_t counted(const comm::CommLog& log) {
  std::int64_t n = 0;
  for (const comm::CommEntry& entry : log.entries()) n += entry.elements;
  return n;
}

template <class Mesh>
Buffer buffer_of(const Mesh& mesh, const std::vector<double>& values) {
  Buffer b = detail::allocate<double>(mesh, static_cast<std::int64_t>(values.size()));
  detail::copy_from_host(mesh, values.data(), b.as<double>(), static_cast<std::int64_t>(values.size()));
  return b;
}

template <class World, class Mesh>
void run_one_way(const World& world, const Mesh& mesh, const Plan& plan, const Shape& shape, Spec from, Spec to,
                 unsigned seed) {
  const Values whole = random_values(shape.count(), seed);
  const bool terms = axes_in(from, mesh.grid(), [](Kind k) { return k == Kind::partial; }) != 0;
  const std::vector<double> mine = shard_of<double>(shape, from, mesh.grid(), whole);
  const Buffer in = buffer_of(mesh, mine);
  world.log().clear();
  const Buffer out = detail::run_plan<double>(mesh, plan, shape, in);
  const std::int64_t sent = counted(world.log());
  std::int64_t expected = 0;
  for (int i = 0; i < plan.count; ++i) expected += elements(plan.step[i], shape, mesh.grid());
  CHECK(sent == expected);
  // Where nothing is summed, the values are the same bits.
  CHECK(off_layout(world, mesh, shape, to, out, whole) <= (terms ? 1e-13 : 0.0));
  Values after(mine.size());
  detail::copy_to_host(mesh, static_cast<const double*>(in.as<double>()), after.data(),
                       static_cast<std::int64_t>(after.size()));
  CHECK(after == mine);  // the operand is as it was
}

/// All pairs of the layouts that are wanted: bool wanted(Spec).
template <class World, class Mesh, class Wanted>
int run_pairs(const World& world, const Mesh& mesh, const Shape& shape, Wanted wanted) {
  int pairs = 0;
  const int axes = mesh.grid().axes;
  domain::for_each_spec(axes, shape.ndim(), [&](Spec from) {
    if (!wanted(from)) return;
    domain::for_each_spec(axes, shape.ndim(), [&](Spec to) {
      if (!wanted(to)) return;
      const std::string f = print("f64", shape, from, Mesh::names()),
                        t = print("f64", shape, to, Mesh::names());
      CAPTURE(f);
      CAPTURE(t);
      const Plan plan = make_plan(from, to);
      run_one_way(world, mesh, plan, shape, from, to, 1);
      // The gradient of a value is the same, whatever its layout: the transposed steps bring it back.
      run_one_way(world, mesh, transposed(plan), shape, dual(to), dual(from), 2);
      ++pairs;
    });
  });
  return pairs;
}

using Random = std::mt19937;

/// The layout with some of its split dims cut Balanced or Ragged.
Spec cut_somehow(Spec spec, Random& random) {
  for (int d = 0; d < Spec::max_dims; ++d) {
    const auto partition = static_cast<Partition>(random() % 3);
    for (int a = 0; a < tpx::detail::max_axes; ++a) {
      AxisState s = spec[a];
      if (s.kind != Kind::shard || s.dim != d) continue;
      s.partition = partition;
      spec = spec.with(a, s);
    }
  }
  return spec;
}

/// n in p terms, some of them 0.
std::vector<std::int64_t> terms_of(std::int64_t n, int p, Random& random) {
  std::vector<std::int64_t> terms(static_cast<std::size_t>(p));
  for (std::int64_t i = 0; i < n; ++i) ++terms[random() % static_cast<std::size_t>(p)];
  return terms;
}

/// The shape with sizes for the pieces of the dims that `spec` splits Ragged: sums of `leaves` where other axes
/// come first in both layouts, so that both can hold at once.
Shape with_some_pieces(Shape shape, Spec spec, Spec other, const Grid& grid, unsigned seed) {
  for (int d = 0; d < shape.ndim(); ++d) {
    if (tpx::detail::partition_of(spec, d) != Partition::ragged) continue;
    int common = 1, rest = 1;
    bool same = tpx::detail::partition_of(other, d) == Partition::ragged;
    for (int order = 0; order < tpx::detail::shard_count(spec, d); ++order) {
      const int a = tpx::detail::shard_axis(spec, d, order);
      same = same && tpx::detail::shard_axis(other, d, order) == a;
      (same ? common : rest) *= grid.size[a];
    }
    Random shared(seed + static_cast<unsigned>(d));  // the same for both layouts
    std::vector<std::int64_t> sizes;
    for (const std::int64_t part : terms_of(shape[d], common, shared)) {
      Random own(seed + spec.bits + static_cast<unsigned>(sizes.size()));
      for (const std::int64_t size : terms_of(part, rest, own)) sizes.push_back(size);
    }
    shape = shape.with_pieces(d, std::move(sizes));
  }
  return shape;
}

/// Random pairs of layouts with extents that no axis divides; those split Even are made to be divided.
template <class World, class Mesh>
int run_uneven_pairs(const World& world, const Mesh& mesh, int ndim, int pairs) {
  const Grid& grid = mesh.grid();
  std::vector<Spec> all;
  domain::for_each_spec(grid.axes, ndim, [&](Spec spec) { all.push_back(spec); });
  Random random(11);
  int done = 0;
  while (done < pairs) {
    const Spec from = cut_somehow(all[random() % all.size()], random);
    const Spec to = cut_somehow(all[random() % all.size()], random);
    if (tpx::detail::no_axis_is(from, Kind::shard) && tpx::detail::no_axis_is(to, Kind::shard)) continue;
    Shape shape;
    for (int d = 0; d < ndim; ++d) {
      std::int64_t unit = 1;
      for (const Spec end : {from, to})
        if (tpx::detail::partition_of(end, d) == Partition::even)
          unit = std::lcm(unit, Distribution(Shape{1, 1, 1}, end, grid).divisor(d));
      shape.push_back(unit * (1 + static_cast<std::int64_t>(random() % 7)));
    }
    const unsigned seed = static_cast<unsigned>(random());
    const Shape before = with_some_pieces(shape, from, to, grid, seed);
    const Shape after = with_some_pieces(shape, to, from, grid, seed);
    const std::string f = print("f64", before, from, Mesh::names()), t = print("f64", after, to, Mesh::names());
    CAPTURE(f);
    CAPTURE(t);
    const Shape way = tpx::detail::shape_on_the_way(before, from, after, to, grid);
    const Plan plan = make_plan(from, to);
    run_one_way(world, mesh, plan, way, from, to, 1);
    run_one_way(world, mesh, transposed(plan), way, dual(to), dual(from), 2);
    ++done;
  }
  return done;
}

template <class World, class Mesh>
int run_all_pairs(const World& world, const Mesh& mesh, const Shape& shape) {
  return run_pairs(world, mesh, shape, [](Spec) { return true; });
}

}  // namespace

TEST_CASE("every redistribution of three dims on one axis, and its transpose") {
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  CHECK(run_all_pairs(all, mesh, Shape{12, 24, 12}) == 36);
}

TEST_CASE("every redistribution of two dims on two axes, and its transpose") {
  const World all = world();
  const int p = all.size();
  const auto mesh = make_mesh<dp, tp>(all, {p == 4 ? 2 : 1, 0});
  CHECK(run_all_pairs(all, mesh, Shape{12, 16 * 3}) == 27 * 27);
}

// Shards lie in symmetric memory: pieces are taken out of them where they are.
TEST_CASE("every redistribution through shared memory, and its transpose") {
  const comm::Recording<comm::SharedMemory> all(comm::SharedMemory::over(comm::Mpi::world()));
  const auto mesh = make_mesh<dp, tp>(all, {all.size() == 4 ? 2 : 1, 0});
  CHECK(mesh.context().pool().source() != nullptr);
  CHECK(run_all_pairs(all, mesh, Shape{12, 16 * 3}) == 27 * 27);
  const auto three_dims = [](Spec spec) { return spec[0].kind == Kind::invariant; };
  CHECK(run_pairs(all, mesh, Shape{12, 24, 12}, three_dims) == 36);
  CHECK(run_uneven_pairs(all, make_mesh<tp>(all), 3, 100) == 100);
  CHECK(run_uneven_pairs(all, mesh, 2, 300) == 300);
}

// With axes of unequal sizes, and with three, an exchange is not its own inverse.
TEST_CASE("axes that split a dim change their order, over threads") {
  if (ranks() > 1) return;
  const auto split_by_all = [](int axes) {
    return [axes](Spec spec) {
      for (int a = 0; a < axes; ++a)
        if (spec[a].kind != Kind::shard) return false;
      return true;
    };
  };
  comm::run_threads(6, [&](comm::Threads threads) {
    const comm::Recording<comm::Threads> all(std::move(threads));
    const auto mesh = make_mesh<dp, tp>(all, {2, 3});
    CHECK(run_pairs(all, mesh, Shape{6, 12}, split_by_all(2)) == 36);
  });
  comm::run_threads(12, [&](comm::Threads threads) {
    const comm::Recording<comm::Threads> all(std::move(threads));
    const auto mesh = make_mesh<dp, pp, tp>(all, {2, 2, 3});
    CHECK(run_pairs(all, mesh, Shape{24}, split_by_all(3)) == 36);
  });
}

TEST_CASE("every redistribution of two dims on two axes of two ranks, and its transpose, over threads") {
  if (ranks() > 1) return;
  comm::run_threads(4, [&](comm::Threads threads) {
    const comm::Recording<comm::Threads> all(std::move(threads));
    CHECK(run_all_pairs(all, make_mesh<dp, tp>(all, {2, 2}), Shape{12, 8}) == 729);
  });
}

TEST_CASE("redistributions between Even, Balanced and Ragged pieces, and their transposes") {
  const World all = world();
  const int p = all.size();
  CHECK(run_uneven_pairs(all, make_mesh<tp>(all), 3, 100) == 100);
  CHECK(run_uneven_pairs(all, make_mesh<dp, tp>(all, {p == 4 ? 2 : 1, 0}), 2, 300) == 300);
  if (ranks() > 1) return;
  comm::run_threads(6, [&](comm::Threads threads) {
    const comm::Recording<comm::Threads> six(std::move(threads));
    CHECK(run_uneven_pairs(six, make_mesh<dp, tp>(six, {2, 3}), 2, 1000) == 1000);
  });
  comm::run_threads(12, [&](comm::Threads threads) {
    const comm::Recording<comm::Threads> twelve(std::move(threads));
    CHECK(run_uneven_pairs(twelve, make_mesh<dp, pp, tp>(twelve, {2, 3, 2}), 2, 500) == 500);
  });
}

TEST_CASE("a tensor without elements goes everywhere") {
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  CHECK(run_all_pairs(all, mesh, Shape{12, 0}) == 25);
}
