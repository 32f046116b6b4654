// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/reduce.hpp>
#include <tpx/ops/rms_norm.hpp>

#include <cmath>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr std::size_t extent[3] = {12, 6, 24};

/// Place in the result of the element at i, j, k when the dims of `dims` (a bit each) are summed.
std::size_t place(unsigned dims, std::size_t i, std::size_t j, std::size_t k) {
  const std::size_t index[3] = {i, j, k};
  std::size_t at = 0;
  for (unsigned d = 0; d < 3; ++d)
    if (!(dims >> d & 1u)) at = at * extent[d] + index[d];
  return at;
}

struct Sums {
  Values x = random_values(12 * 6 * 24, 1);

  /// The sums over dims times factor, as loops.
  Values of(unsigned dims, double factor) const {
    std::size_t n = 1;
    for (unsigned d = 0; d < 3; ++d) n *= dims >> d & 1u ? 1 : extent[d];
    Values y(n, 0.0);
    for (std::size_t i = 0; i < 12; ++i)
      for (std::size_t j = 0; j < 6; ++j)
        for (std::size_t k = 0; k < 24; ++k) y[place(dims, i, j, k)] += factor * x[(i * 6 + j) * 24 + k];
    return y;
  }

  template <class T, class Mesh, class Op, class L>
  void check(const World& world, const Mesh& mesh, Op op, unsigned dims, double factor, L l) const {
    const Values y = of(dims, factor), dy = random_values(static_cast<std::int64_t>(y.size()), 2);
    Values dx(x.size());
    for (std::size_t i = 0; i < 12; ++i)
      for (std::size_t j = 0; j < 6; ++j)
        for (std::size_t k = 0; k < 24; ++k) dx[(i * 6 + j) * 24 + k] = factor * dy[place(dims, i, j, k)];
    check_op<T>(world, mesh, op, y, dy, {dx}, 0, given<T>(l, {12, 6, 24}, x));
  }
};

}  // namespace

TEST_CASE("sum and mean over any dims in every placement") {
  const Sums sums;
  constexpr auto all = [](const auto& x) { return sum(x); };
  constexpr auto first = [](const auto& x) { return sum<0>(x); };
  constexpr auto middle = [](const auto& x) { return sum<1>(x); };
  constexpr auto last = [](const auto& x) { return mean<2>(x); };
  constexpr auto outer = [](const auto& x) { return mean<2, 0>(x); };
  constexpr auto mean_of_all = [](const auto& x) { return mean(x); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto l) {
      sums.check<T>(world, mesh, all, 7, 1, l);
      sums.check<T>(world, mesh, first, 1, 1, l);
      sums.check<T>(world, mesh, middle, 2, 1, l);
      sums.check<T>(world, mesh, last, 4, 1.0 / 24, l);
      sums.check<T>(world, mesh, outer, 5, 1.0 / (12 * 24), l);
      sums.check<T>(world, mesh, mean_of_all, 7, 1.0 / (12 * 6 * 24), l);
    };
    check(0.0, layout<>);
    check(0.0, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0, layout<Shard<2, tp, dp>>);
    check(0.0, layout<Shard<0, dp>, Partial<tp>>);
    check(0.0f, layout<Shard<0, dp, tp>>);
  });
}

TEST_CASE("a sum over a split dim is Partial, over a whole one it keeps the split") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto x = zeros<double>(mesh, layout<Shard<0, dp>, Shard<2, tp>>, {12, 6, 24});
    static_assert(
        std::is_same_v<typename decltype(sum<0>(x))::layout_type, layout_t<Partial<dp>, Shard<1, tp>>>);
    static_assert(
        std::is_same_v<typename decltype(sum<1>(x))::layout_type, layout_t<Shard<0, dp>, Shard<1, tp>>>);
    static_assert(std::is_same_v<typename decltype(mean(x))::layout_type, layout_t<Partial<dp, tp>>>);
    CHECK(sum<0, 2>(x).describe() == "f64[6]{P:dp,tp}");
    const auto empty = zeros<double>(mesh, layout<>, {0, 3});
    CHECK(item(sum(empty)) == 0);
    CHECK_THROWS_WITH_AS(mean(empty), doctest::Contains("f64[0,3]"), Error);
  });
}

TEST_CASE("mean squared error in every placement") {
  const Values x = random_values(12 * 24, 3), y = random_values(12 * 24, 4);
  double loss = 0;
  Values dx(x.size()), dy(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    loss += (x[i] - y[i]) * (x[i] - y[i]) / (12 * 24);
    dx[i] = 0.7 * 2 * (x[i] - y[i]) / (12 * 24);
    dy[i] = -dx[i];
  }
  const auto op = [](const auto& a, const auto& b) { return mean_squared_error(a, b); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto l) {
      check_op<T>(world, mesh, op, {loss}, {0.7}, {dx, dy}, 0, given<T>(l, {12, 24}, x),
                  given<T>(l, {12, 24}, y));
    };
    check(0.0, layout<>);
    check(0.0, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<1, tp>>);
    check(0.0, layout<Shard<0, dp>, Replicate<tp>>);
    check(0.0f, layout<Shard<0, dp, tp>>);
    const auto a = zeros<double>(mesh, layout<>, {12, 24});
    const auto b = zeros<double>(mesh, layout<>, {24, 12});
    CHECK_THROWS_WITH_AS(mean_squared_error(a, b),
                         doctest::Contains("x.describe() = f64[12,24]; y.describe() = f64[24,12]"), Error);
  });
}

TEST_CASE("rms norm in every placement") {
  constexpr std::size_t rows = 144, columns = 8;
  const Values x = random_values(rows * columns, 3), gamma = random_values(columns, 4),
               dy = random_values(rows * columns, 6);
  const double epsilon = 1e-3, n = columns;
  Values y(x.size()), dx(x.size()), dgamma(columns, 0.0);
  for (std::size_t r = 0; r < rows; ++r) {
    double square = 0, dot = 0;
    for (std::size_t c = 0; c < columns; ++c) square += x[r * columns + c] * x[r * columns + c];
    const double rms = std::sqrt(square / n + epsilon);
    for (std::size_t c = 0; c < columns; ++c) dot += dy[r * columns + c] * gamma[c] * x[r * columns + c];
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t i = r * columns + c;
      y[i] = gamma[c] * x[i] / rms;
      dx[i] = dy[i] * gamma[c] / rms - x[i] * dot / (n * rms * rms * rms);
      dgamma[c] += dy[i] * x[i] / rms;
    }
  }
  const auto op = [&](const auto& a, const auto& b) { return rms_norm(a, b, epsilon); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto lx, auto lg) {
      check_op<T>(world, mesh, op, y, dy, {dx, dgamma}, 0, given<T>(lx, {12, 12, 8}, x),
                  given<T>(lg, {8}, gamma));
    };
    check(0.0, layout<>, layout<>);
    check(0.0, layout<Replicate<tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp, tp>>);
    check(0.0, layout<Shard<0, dp>, Replicate<tp>>, layout<Replicate<dp, tp>>);
    check(0.0, layout<Shard<1, tp, dp>>, layout<Replicate<dp, tp>>);
    check(0.0f, layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp, tp>>);
    const auto a = zeros<double>(mesh, layout<>, {4, 8});
    const auto g = zeros<double>(mesh, layout<>, {4});
    CHECK_THROWS_WITH_AS(rms_norm(a, g),
                         doctest::Contains("x.describe() = f64[4,8]; gamma.describe() = f64[4]"), Error);
  });
}
