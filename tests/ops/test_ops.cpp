// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/attention.hpp>
#include <tpx/ops/layer_norm.hpp>
#include <tpx/ops/pointwise.hpp>

#include <cmath>

#include "support/check_op.hpp"
#include "support/reference.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

TEST_CASE("gelu, gelu_tanh and scale in every placement") {
  Values x = random_values(12 * 24, 1);
  for (double& v : x) v *= 3;
  const Values dy = random_values(12 * 24, 2);
  Values scaled = x, dscaled = dy;
  for (std::size_t i = 0; i < x.size(); ++i) {
    scaled[i] *= -2.5;
    dscaled[i] *= -2.5;
  }
  constexpr auto exact = [](const auto& a) { return gelu(a); };
  constexpr auto by_tanh = [](const auto& a) { return gelu_tanh(a); };
  constexpr auto times = [](const auto& a) { return scale(a, -2.5); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto linear = [&](auto l) {
      check_op<double>(world, mesh, times, scaled, dy, {dscaled}, 0, given<double>(l, {12, 24}, x));
    };
    const auto any = [&]<class T>(T, auto l) {
      const auto g = given<T>(l, {12, 24}, x);
      check_op<T>(world, mesh, exact, reference::gelu(x), dy, {reference::gelu_backward(x, dy)}, 0, g);
      check_op<T>(world, mesh, by_tanh, reference::gelu_tanh(x), dy, {reference::gelu_tanh_backward(x, dy)}, 0,
                  g);
    };
    any(0.0, layout<>);
    any(0.0, layout<Replicate<tp>>);
    any(0.0, layout<Shard<1, tp>>);
    any(0.0, layout<Shard<0, dp>, Shard<1, tp>>);
    any(0.0f, layout<Shard<0, dp, tp>>);
    linear(layout<>);
    linear(layout<Replicate<tp>, Shard<0, dp>>);
    linear(layout<Partial<tp>>);
    linear(layout<Shard<1, dp>, Partial<tp>>);
    linear(layout<Partial<dp, tp>>);
  });
}

TEST_CASE("layer norm in every placement") {
  const Values x = random_values(12 * 12 * 8, 3), gamma = random_values(8, 4), beta = random_values(8, 5),
               dy = random_values(12 * 12 * 8, 6);
  const double epsilon = 1e-3;
  const auto y = reference::layer_norm(x, gamma, beta, 144, 8, epsilon);
  const auto g = reference::layer_norm_backward(x, gamma, dy, 144, 8, epsilon);
  const auto op = [&](const auto& a, const auto& b, const auto& c) { return layer_norm(a, b, c, epsilon); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto lx, auto lg) {
      check_op<T>(world, mesh, op, y.y, dy, {g.dx, g.dgamma, g.dbeta}, 0, given<T>(lx, {12, 12, 8}, x),
                  given<T>(lg, {8}, gamma), given<T>(lg, {8}, beta));
    };
    check(0.0, layout<>, layout<>);
    check(0.0, layout<Replicate<tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Shard<1, tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>>, layout<Replicate<dp>>);
    check(0.0, layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp, tp>>);
    check(0.0, layout<Shard<0, dp>, Replicate<tp>>, layout<Replicate<dp, tp>>);
    check(0.0, layout<Shard<1, tp, dp>>, layout<Replicate<dp, tp>>);
    check(0.0f, layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp, tp>>);
  });
}

TEST_CASE("attention in every placement, causal and not") {
  for (const bool causal : {false, true}) {
    CAPTURE(causal);
    const reference::AttentionShape n{12, 3, 5, 12, 12, 2, causal, 1 / std::sqrt(2.0)};
    const Values q = random_values(12 * 3 * 12 * 2, 7), k = random_values(12 * 5 * 12 * 2, 8),
                 v = random_values(12 * 5 * 12 * 2, 9), d_o = random_values(12 * 3 * 12 * 2, 10);
    const auto o = reference::attention(q, k, v, n);
    const auto g = reference::attention_backward(q, k, v, d_o, n);
    const auto op = [&](const auto& a, const auto& b, const auto& c) {
      return attention(a, b, c, causal ? Mask::causal : Mask::none);
    };
    for_each_mesh([&](const World& world, const auto& mesh) {
      const auto check = [&]<class T>(T, auto l) {
        check_op<T>(world, mesh, op, o.o, d_o, {g.dq, g.dk, g.dv}, 0, given<T>(l, {12, 3, 12, 2}, q),
                    given<T>(l, {12, 5, 12, 2}, k), given<T>(l, {12, 5, 12, 2}, v));
      };
      check(0.0, layout<>);
      check(0.0, layout<Replicate<tp>>);
      check(0.0, layout<Shard<2, tp>>);
      check(0.0, layout<Shard<0, dp>, Shard<2, tp>>);
      check(0.0, layout<Shard<0, dp, tp>>);
      check(0.0f, layout<Shard<0, dp>, Shard<2, tp>>);
    });
  }
}

TEST_CASE("an operand that is used in several places of one op gets all of its gradients") {
  const Values x = random_values(2 * 3 * 12 * 2, 11), dy = random_values(2 * 3 * 12 * 2, 12);
  const reference::AttentionShape n{2, 3, 3, 12, 12, 2, true, 1 / std::sqrt(2.0)};
  const auto g = reference::attention_backward(x, x, x, dy, n);
  Values dx = g.dq;
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] += g.dk[i] + g.dv[i];
  const Values row = random_values(8, 13), drow = random_values(8, 14);
  const auto norm = reference::layer_norm(row, row, row, 1, 8, 1e-5);
  const auto gn = reference::layer_norm_backward(row, row, drow, 1, 8, 1e-5);
  Values dn = gn.dx;
  for (std::size_t i = 0; i < dn.size(); ++i) dn[i] += gn.dgamma[i] + gn.dbeta[i];
  for_each_mesh([&](const World& world, const auto& mesh) {
    check_op<double>(
        world, mesh, [](const auto& a) { return attention(a, a, a, Mask::causal); },
        reference::attention(x, x, x, n).o, dy, {dx}, 0, given<double>(layout<Shard<2, tp>>, {2, 3, 12, 2}, x));
    check_op<double>(
        world, mesh, [](const auto& a) { return layer_norm(a, a, a); }, norm.y, drow, {dn}, 0,
        given<double>(layout<Replicate<tp>>, {8}, row));
  });
}

TEST_CASE("operands whose extents differ are refused, with all of them in the message") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto x = zeros<double>(mesh, layout<>, {4, 8});
    const auto g = zeros<double>(mesh, layout<>, {4});
    CHECK_THROWS_WITH_AS(layer_norm(x, g, g),
                         doctest::Contains("x.describe() = f64[4,8]; gamma.describe() = f64[4]"), Error);
    const auto q = zeros<double>(mesh, layout<>, {2, 3, 4, 2});
    const auto k = zeros<double>(mesh, layout<>, {2, 5, 3, 2});
    CHECK_THROWS_WITH_AS(attention(q, k, k, Mask::none),
                         doctest::Contains("q.describe() = f64[2,3,4,2]; k.describe() = f64[2,5,3,2]"), Error);
  });
}
