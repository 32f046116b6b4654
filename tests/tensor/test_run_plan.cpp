// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/tensor/run_plan.hpp>

#include <cmath>
#include <vector>

#include "layout/specs.hpp"
#include "support/distributed.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

unsigned axes_in(Spec spec, const Grid& grid, bool (*is)(Kind)) {
  unsigned mask = 0;
  for (int a = 0; a < grid.axes; ++a)
    if (is(spec[a].kind)) mask |= 1u << a;
  return mask;
}

/// How far what the ranks hold is from being `whole` in this layout, by the definition of the states.
template <class World, class Mesh>
double off_layout(const World& world, const Mesh& mesh, const Shape& shape, Spec spec, const Buffer& shard,
                  const Values& whole) {
  const Grid& grid = mesh.grid();
  const Distribution d(shape, spec, grid);
  const std::int64_t n = d.local().count();
  Values local(static_cast<std::size_t>(n));
  detail::copy_to_host(mesh, static_cast<const double*>(shard.as<double>()), local.data(), n);
  double worst = 0;
  const auto differ = [&](double is, double expected) { worst = std::fmax(worst, std::fabs(is - expected)); };
  if (axes_in(spec, grid, [](Kind k) { return k == Kind::partial; }) == 0) {
    // Pieces of the value, or the value itself.
    for_each_element(d, [&](std::int64_t i, std::int64_t at) {
      differ(local[static_cast<std::size_t>(i)], whole[static_cast<std::size_t>(at)]);
    });
    return worst;
  }
  // I and R: the same on all ranks along these axes.
  const unsigned same =
      axes_in(spec, grid, [](Kind k) { return k == Kind::invariant || k == Kind::replicate; });
  if (grid.ranks(same) > 1) {
    Values most = local;
    mesh.communicator(same).inner().all_reduce(local.data(), most.data(), n, Element::f64,
                                               comm::Reduction::max);
    for (std::size_t i = 0; i < local.size(); ++i) differ(local[i], most[i]);
  }
  // What the first of those hold adds up to the value.
  bool first = true;
  for (int a = 0; a < grid.axes; ++a) first = first && (!(same >> a & 1u) || grid.coordinate[a] == 0);
  Values sum(whole.size(), 0.0);
  if (first)
    for_each_element(d, [&](std::int64_t i, std::int64_t at) {
      sum[static_cast<std::size_t>(at)] = local[static_cast<std::size_t>(i)];
    });
  world.inner().all_reduce(sum.data(), sum.data(), static_cast<std::int64_t>(sum.size()), Element::f64,
                           comm::Reduction::sum);
  for (std::size_t i = 0; i < sum.size(); ++i) differ(sum[i], whole[i]);
  return worst;
}

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

template <class Mesh>
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

TEST_CASE("a tensor without elements goes everywhere") {
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  CHECK(run_all_pairs(all, mesh, Shape{12, 0}) == 25);
}
