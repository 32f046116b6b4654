// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/threads.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/view.hpp>

#include <type_traits>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// Elements that this rank's collectives have moved.
std::int64_t moved(const comm::CommLog& log) {
  std::int64_t n = 0;
  for (const comm::CommEntry& entry : log.entries()) n += entry.elements;
  return n;
}

/// Elements of a plan's steps.
template <class Mesh>
std::int64_t predicted(const Plan& plan, const Shape& shape, const Mesh& mesh) {
  std::int64_t n = 0;
  for (int i = 0; i < plan.count; ++i) n += elements(plan.step[i], shape, mesh.grid());
  return n;
}

template <class To, class From, class Mesh, class World>
void there_and_back(const World& world, const Mesh& mesh, From from) {
  const Shape shape{12, 24};
  const Values x = random_values(12 * 24, 1), dy = random_values(12 * 24, 2);
  Tape<Mesh> tape(mesh);
  const auto leaf = tape.watch(put(mesh, given<double>(from, {12, 24}, x)));
  constexpr Spec a = decltype(leaf)::spec;
  world.log().clear();
  const auto y = redistribute<To>(leaf);
  constexpr Spec b = decltype(y)::spec;
  CAPTURE(leaf.describe());
  CAPTURE(y.describe());
  CHECK(moved(world.log()) == predicted(plan_v<a.bits, b.bits>, shape, mesh));
  CHECK(off(gather(y), x) <= 1e-12);
  if (detail::no_axis_is(b, Kind::partial))
    CHECK(off(local_values(y), shard_of<double>(shape, b, mesh.grid(), x)) <= 1e-12);
  CHECK(tape.size() == 1);

  const auto loss = weighted_sum(y, dy);
  world.log().clear();
  backward(loss);
  CHECK(moved(world.log()) == predicted(transposed(plan_v<a.bits, b.bits>), shape, mesh));
  const auto dx = tape.gradient(leaf);
  static_assert(
      std::is_same_v<typename decltype(dx)::layout_type, dual_t<typename decltype(leaf)::layout_type>>);
  CHECK(off(gather(dx), dy) <= 1e-12);
  if (detail::no_axis_is(dual(a), Kind::partial))
    CHECK(off(local_values(dx), shard_of<double>(shape, dual(a), mesh.grid(), dy)) <= 1e-12);
}

template <class World, class Mesh>
void all_of_them(const World& world, const Mesh& mesh) {
  const auto go = [&]<class To, class From>(From from, To) { there_and_back<To>(world, mesh, from); };
  // the moves of the table
  go(layout<>, layout<Replicate<tp>>);
  go(layout<Replicate<tp>>, layout<>);
  go(layout<Partial<tp>>, layout<>);
  go(layout<Partial<tp>>, layout<Replicate<tp>>);
  go(layout<>, layout<Partial<tp>>);
  go(layout<Replicate<tp>>, layout<Partial<tp>>);
  go(layout<Shard<0, tp>>, layout<>);
  go(layout<Shard<1, tp>>, layout<Replicate<tp>>);
  go(layout<>, layout<Shard<1, tp>>);
  go(layout<Replicate<tp>>, layout<Shard<0, tp>>);
  go(layout<Partial<tp>>, layout<Shard<1, tp>>);
  go(layout<Shard<1, tp>>, layout<Partial<tp>>);
  go(layout<Shard<0, tp>>, layout<Shard<1, tp>>);
  go(layout<Shard<1, tp>>, layout<Shard<0, tp>>);
  // two axes
  go(layout<Partial<dp, tp>>, layout<>);
  go(layout<Partial<dp, tp>>, layout<Replicate<dp>>);
  go(layout<Shard<0, dp, tp>>, layout<Shard<0, tp, dp>>);
  go(layout<Shard<0, dp>, Shard<1, tp>>, layout<Shard<1, dp>, Shard<0, tp>>);
  go(layout<Shard<0, dp>, Partial<tp>>, layout<Shard<0, dp>>);
  go(layout<Partial<dp>, Shard<1, tp>>, layout<Shard<0, dp>, Shard<1, tp>>);
  go(layout<Shard<0, dp, tp>>, layout<Shard<1, tp>, Replicate<dp>>);
  go(layout<Shard<0, dp, tp>>, layout<Partial<dp, tp>>);
  go(layout<Shard<1, tp>, Replicate<dp>>, layout<Shard<1, tp>, Replicate<dp>>);
}

}  // namespace

TEST_CASE("redistribute and its backward, over MPI") {
  for_each_mesh([](const World& world, const auto& mesh) { all_of_them(world, mesh); });
}

TEST_CASE("redistribute and its backward, over threads") {
  if (rank() != 0 || ranks() > 2) return;
  for (const std::vector<int>& sizes : {std::vector<int>{1, 1}, {1, 2}, {1, 3}, {2, 2}}) {
    CAPTURE(sizes[0]);
    CAPTURE(sizes[1]);
    comm::run_threads(sizes[0] * sizes[1], [&](comm::Threads threads) {
      const comm::Recording<comm::Threads> world(std::move(threads));
      all_of_them(world, make_mesh<dp, tp>(world, sizes));
    });
  }
}

TEST_CASE("axes that are not named keep their state, and what does not move is the same memory") {
  for_each_mesh([](const World& world, const auto& mesh) {
    const auto x =
        put(mesh, given<double>(layout<Shard<0, dp>, Replicate<tp>>, {12, 24}, random_values(288, 3)));
    const auto y = redistribute<Invariant<tp>>(x);
    static_assert(std::is_same_v<typename decltype(y)::layout_type, layout_t<Shard<0, dp>>>);
    CHECK(y.data() == x.data());
    const auto z = redistribute<Shard<0, tp>>(y);  // splits what dp has left
    static_assert(std::is_same_v<typename decltype(z)::layout_type, layout_t<Shard<0, dp, tp>>>);
    CHECK(off(gather(z), random_values(288, 3)) == 0.0);
    world.log().clear();
    const auto w = redistribute<layout_t<Shard<0, dp, tp>>>(z);
    CHECK(w.data() == z.data());
    CHECK(calls(world.log()) == 0);
  });
}

TEST_CASE("integers go where floating-point numbers go, and without a gradient") {
  for_each_mesh([](const World&, const auto& mesh) {
    const auto count = [](const auto& i) { return i[0] * 24 + i[1]; };
    const auto x = from_function<std::int32_t>(mesh, layout<Shard<0, dp>, Shard<1, tp>>, {12, 24}, count);
    const auto y = redistribute<layout_t<Shard<1, dp>, Partial<tp>>>(x);
    static_assert(!decltype(y)::carries_gradient);
    const auto whole = gather(y);
    bool right = whole.size() == 288;
    for (std::size_t i = 0; i < whole.size(); ++i) right = right && whole[i] == static_cast<std::int32_t>(i);
    CHECK(right);
  });
}

TEST_CASE("a layout that the extents do not divide into is refused on every rank") {
  for_each_mesh([](const World&, const auto& mesh) {
    const auto x = zeros<double>(mesh, layout<>, {7, 24});
    if (mesh.template size<tp>() == 1) return;
    CHECK_THROWS_WITH_AS((void)(redistribute<Shard<0, tp>>(x)),
                         doctest::Contains("dim 0 of f64[7@tp,24] is split into"), Error);
  });
}

TEST_CASE("what is computed from a View of the user's leaves it as it was") {
  for_each_mesh([](const World&, const auto& mesh) {
    Kokkos::View<double**, Kokkos::HostSpace> view("mine", 128, 80);  // large enough to be summed in place
    Kokkos::deep_copy(view, 2.0);
    const auto once = wrap(mesh, layout<>, view);
    const double ranks = mesh.template size<tp>();
    CHECK(gather(redistribute<layout_t<>>(wrap(mesh, layout<Partial<tp>>, view))) ==
          Values(128 * 80, 2 * ranks));
    CHECK(gather(add(wrap(mesh, layout<>, view), once)) == Values(128 * 80, 4.0));
    CHECK(gather(once) == Values(128 * 80, 2.0));
  });
}
