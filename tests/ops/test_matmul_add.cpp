// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/add.hpp>
#include <tpx/ops/matmul.hpp>

#include "support/check_op.hpp"
#include "support/reference.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr auto multiply = [](const auto& x, const auto& w) { return matmul(x, w); };
constexpr auto plus = [](const auto& x, const auto& y) { return add(x, y); };

struct Product {
  Values x = random_values(12 * 24, 1), w = random_values(24 * 12, 2), dy = random_values(12 * 12, 3);
  Values y = reference::matmul(x, w, 12, 12, 24);
  reference::MatmulGradient g = reference::matmul_backward(x, w, dy, 12, 12, 24);

  template <class T, class Mesh, class LX, class LW>
  void check(const World& world, const Mesh& mesh, LX lx, LW lw) const {
    check_op<T>(world, mesh, multiply, y, dy, {g.da, g.db}, 0, given<T>(lx, {12, 24}, x),
                given<T>(lw, {24, 12}, w));
  }
};

}  // namespace

TEST_CASE("matmul in every placement, forward and gradients") {
  const Product p;
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto on_tp = [&]<class... X, class... W>(Layout<X...>, Layout<W...>) {
      // dp: invariant, and the batch split
      p.check<double>(world, mesh, layout<X...>, layout<W...>);
      p.check<double>(world, mesh, layout<Replicate<dp>, X...>, layout<Replicate<dp>, W...>);
    };
    on_tp(layout<>, layout<>);
    on_tp(layout<Replicate<tp>>, layout<Replicate<tp>>);
    on_tp(layout<Shard<0, tp>>, layout<Replicate<tp>>);
    on_tp(layout<Replicate<tp>>, layout<Shard<1, tp>>);
    on_tp(layout<Shard<1, tp>>, layout<Shard<0, tp>>);
    on_tp(layout<Partial<tp>>, layout<Replicate<tp>>);
    on_tp(layout<Replicate<tp>>, layout<Partial<tp>>);
    // the batch split over dp
    p.check<double>(world, mesh, layout<Shard<0, dp>>, layout<Replicate<dp>>);
    p.check<double>(world, mesh, layout<Shard<0, dp>, Replicate<tp>>, layout<Replicate<dp>, Shard<1, tp>>);
    p.check<double>(world, mesh, layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp>, Shard<0, tp>>);
    p.check<double>(world, mesh, layout<Shard<0, dp, tp>>, layout<Replicate<dp, tp>>);
    p.check<double>(world, mesh, layout<Shard<0, tp, dp>>, layout<Replicate<dp, tp>>);
    // both axes on one contracted dim, and on one kept dim of w
    p.check<double>(world, mesh, layout<Shard<1, dp, tp>>, layout<Shard<0, dp, tp>>);
    p.check<double>(world, mesh, layout<Replicate<dp, tp>>, layout<Shard<1, tp, dp>>);
    p.check<double>(world, mesh, layout<Partial<dp>, Replicate<tp>>, layout<Replicate<dp>, Partial<tp>>);
    p.check<double>(world, mesh, layout<Partial<dp, tp>>, layout<Replicate<dp, tp>>);
    // in float
    p.check<float>(world, mesh, layout<>, layout<>);
    p.check<float>(world, mesh, layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp>, Shard<0, tp>>);
  });
}

TEST_CASE("matmul over two dims at once: heads and head dims") {
  const Values x = random_values(4 * 3 * 12 * 2, 4), w = random_values(12 * 2 * 12, 5),
               dy = random_values(4 * 3 * 12, 6);
  const Values y = reference::matmul(x, w, 12, 12, 24);
  const auto g = reference::matmul_backward(x, w, dy, 12, 12, 24);
  const auto op = [](const auto& a, const auto& b) { return matmul<2>(a, b); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&](auto lx, auto lw) {
      check_op<double>(world, mesh, op, y, dy, {g.da, g.db}, 0, given<double>(lx, {4, 3, 12, 2}, x),
                       given<double>(lw, {12, 2, 12}, w));
    };
    check(layout<>, layout<>);
    check(layout<Shard<2, tp>>, layout<Shard<0, tp>>);
    check(layout<Shard<2, dp>, Replicate<tp>>, layout<Shard<0, dp>, Shard<2, tp>>);
    if (mesh.grid().size[0] != 3)
      check(layout<Shard<0, dp>, Shard<2, tp>>, layout<Replicate<dp>, Shard<0, tp>>);
  });
}

TEST_CASE("add: residual, bias, positions") {
  const Values x = random_values(12 * 4 * 12, 7), dz = random_values(12 * 4 * 12, 8);
  const auto with = [&]<class T>(T, const World& world, const auto& mesh, auto lx, auto ly,
                                 const auto& y_extents) {
    const auto [rows, columns] = [&] {
      std::int64_t n = 1;
      for (const std::int64_t e : y_extents) n *= e;
      return std::pair(std::int64_t{12 * 4 * 12} / n, n);
    }();
    const Values y = random_values(columns, 9);
    check_op<T>(world, mesh, plus, reference::bias_add(x, y, rows, columns), dz,
                {dz, reference::bias_gradient(dz, rows, columns)}, 0, given<T>(lx, {12, 4, 12}, x),
                given<T>(ly, y_extents, y));
  };
  constexpr std::int64_t whole[3] = {12, 4, 12}, position[2] = {4, 12}, bias[1] = {12};
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&](auto lx, auto ly, const auto& e) { with(0.0, world, mesh, lx, ly, e); };
    check(layout<>, layout<>, whole);
    check(layout<Replicate<tp>>, layout<Replicate<tp>>, whole);
    check(layout<Shard<2, tp>>, layout<Shard<2, tp>>, whole);
    check(layout<Shard<0, dp>, Shard<2, tp>>, layout<Shard<0, dp>, Shard<2, tp>>, whole);
    check(layout<Partial<tp>>, layout<Partial<tp>>, whole);
    check(layout<Shard<0, dp>, Partial<tp>>, layout<Shard<0, dp>, Partial<tp>>, whole);
    check(layout<Partial<dp, tp>>, layout<Partial<dp, tp>>, whole);
    check(layout<>, layout<>, bias);
    check(layout<Replicate<tp>>, layout<Replicate<tp>>, bias);
    check(layout<Shard<2, tp>>, layout<Shard<0, tp>>, bias);
    check(layout<Shard<0, tp>>, layout<Replicate<tp>>, bias);
    check(layout<Shard<0, dp>, Shard<2, tp>>, layout<Replicate<dp>, Shard<0, tp>>, bias);
    check(layout<Partial<tp>>, layout<Partial<tp>>, bias);
    check(layout<>, layout<>, position);
    check(layout<Shard<0, dp>, Shard<2, tp>>, layout<Replicate<dp>, Shard<1, tp>>, position);
    check(layout<Shard<0, dp>>, layout<Replicate<dp>>, position);
    with(0.0f, world, mesh, layout<Shard<0, dp>, Shard<2, tp>>, layout<Replicate<dp>, Shard<0, tp>>, bias);
  });
}

TEST_CASE("what adds to itself or multiplies itself gets both gradients") {
  const Values x = random_values(12 * 12, 10), dy = random_values(12 * 12, 11);
  const auto g = reference::matmul_backward(x, x, dy, 12, 12, 12);
  Values square = g.da, twice = dy, two_x = x;
  for (std::size_t i = 0; i < square.size(); ++i) {
    square[i] += g.db[i];
    twice[i] *= 2;
    two_x[i] *= 2;
  }
  for_each_mesh([&](const World& world, const auto& mesh) {
    check_op<double>(
        world, mesh, [](const auto& a) { return matmul(a, a); }, reference::matmul(x, x, 12, 12, 12), dy,
        {square}, 0, given<double>(layout<Replicate<tp>>, {12, 12}, x));
    check_op<double>(
        world, mesh, [](const auto& a) { return add(a, a); }, two_x, dy, {twice}, 0,
        given<double>(layout<Shard<1, tp>, Partial<dp>>, {12, 12}, x));
  });
}

TEST_CASE("operands whose extents differ are refused, with both in the message") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto x = zeros<double>(mesh, layout<>, {12, 24});
    const auto w = zeros<double>(mesh, layout<>, {12, 12});
    CHECK_THROWS_WITH_AS(matmul(x, w),
                         doctest::Contains("x.describe() = f64[12,24]; w.describe() = f64[12,12]"), Error);
    CHECK_THROWS_WITH_AS(add(x, w), doctest::Contains("f64[12,24]; y.describe() = f64[12,12]"), Error);
  });
}

TEST_CASE("a tensor that was moved into an op is refused by the next") {
  for_each_mesh([&](const World&, const auto& mesh) {
    auto x = zeros<double>(mesh, layout<Shard<0, dp>>, {12, 4});
    const auto y = add(std::move(x), zeros<double>(mesh, layout<Replicate<dp>>, {4}));
    CHECK_THROWS_WITH_AS(add(x, y), doctest::Contains("moved into an op is used no more"), Error);
    CHECK_THROWS_WITH_AS(gather(x), doctest::Contains("moved into an op is used no more"), Error);
  });
}
