// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/pointwise.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

namespace {

/// The worst error over [low, high] in units of the last place of the exact result.
template <class Function, class Exact>
double worst_ulp(double low, double high, const Function& function, const Exact& exact) {
  double worst = 0;
  constexpr int steps = 200000;
  for (int i = 0; i <= steps; ++i) {
    const auto x = static_cast<float>(low + (high - low) * i / steps);
    const long double expected = exact(static_cast<long double>(x));
    const float rounded = std::fabs(static_cast<float>(expected));
    const double unit =
        static_cast<double>(std::nextafter(rounded, std::numeric_limits<float>::infinity()) - rounded);
    worst = std::max(worst,
                     static_cast<double>(std::fabs(static_cast<long double>(function(x)) - expected)) / unit);
  }
  return worst;
}

}  // namespace

TEST_CASE("exp, tanh and erf in float are within 2 units in the last place") {
  const auto exp = [](float x) { return tpx::math::exp(x); };
  const auto tanh = [](float x) { return tpx::math::tanh(x); };
  const auto erf = [](float x) { return tpx::math::erf(x); };
  CHECK(worst_ulp(-87, 88.7, exp, [](long double x) { return std::exp(x); }) < 2);
  CHECK(worst_ulp(-1, 1, exp, [](long double x) { return std::exp(x); }) < 2);
  CHECK(worst_ulp(-104, -87, exp, [](long double x) { return std::exp(x); }) < 2);
  CHECK(worst_ulp(-12, 12, tanh, [](long double x) { return std::tanh(x); }) < 2);
  CHECK(worst_ulp(-0.7, 0.7, tanh, [](long double x) { return std::tanh(x); }) < 2);
  CHECK(worst_ulp(-6, 6, erf, [](long double x) { return std::erf(x); }) < 2);
  CHECK(worst_ulp(-1.1, 1.1, erf, [](long double x) { return std::erf(x); }) < 2);
}

TEST_CASE("exp, tanh and erf in float know the special values") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(tpx::math::exp(-infinity) == 0.0F);
  CHECK(tpx::math::exp(-1000.0F) == 0.0F);
  CHECK(tpx::math::exp(infinity) == infinity);
  CHECK(tpx::math::exp(100.0F) == infinity);
  CHECK(tpx::math::exp(0.0F) == 1.0F);
  CHECK(std::isnan(tpx::math::exp(nan)));
  CHECK(tpx::math::tanh(infinity) == 1.0F);
  CHECK(tpx::math::tanh(-infinity) == -1.0F);
  CHECK(std::signbit(tpx::math::tanh(-0.0F)));
  CHECK(std::isnan(tpx::math::tanh(nan)));
  CHECK(tpx::math::erf(infinity) == 1.0F);
  CHECK(tpx::math::erf(-infinity) == -1.0F);
  CHECK(tpx::math::erf(0.0F) == 0.0F);
  CHECK(std::isnan(tpx::math::erf(nan)));
}

TEST_CASE_TEMPLATE("bias_add adds a row to every row", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{5, 7}, {1, 200}, {40, 1}, {0, 3}, {3, 0}}) {
    const auto x = noise(rows * columns, 1), b = noise(columns, 2);
    auto y = to<T>(x);
    const auto bias = to<T>(b);
    kernel::bias_add(exec, y.data(), bias.data(), y.data(), rows, columns);
    exec.fence();
    CHECK(difference(y, reference::bias_add(x, b, rows, columns)) < tolerance<T>(2));
  }
}

TEST_CASE_TEMPLATE("bias_gradient sums over rows", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{5, 7},
                                      {1, 200},
                                      {1000, 130},
                                      {64, 64},
                                      {65, 1},
                                      {0, 3},
                                      {3, 0}}) {
    const auto dy = noise(rows * columns, 1), before = noise(columns, 2);
    const auto gradient = to<T>(dy);
    auto expected = reference::bias_gradient(dy, rows, columns);
    auto db = unset<T>(columns);
    kernel::bias_gradient(exec, gradient.data(), db.data(), rows, columns, false);
    exec.fence();
    CHECK(difference(db, expected) < tolerance<T>(64));
    db = to<T>(before);
    kernel::bias_gradient(exec, gradient.data(), db.data(), rows, columns);
    exec.fence();
    for (std::size_t c = 0; c < expected.size(); ++c) expected[c] += before[c];
    CHECK(difference(db, expected) < tolerance<T>(64));
  }
}

TEST_CASE_TEMPLATE("gelu and gelu_tanh, forward and backward", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const std::int64_t n : {0, 1, 19, 5000}) {
    const auto x = noise(n, 1, 6.0), dy = noise(n, 2), before = noise(n, 3);
    const auto xf = to<T>(x), dyf = to<T>(dy);
    auto y = unset<T>(n), dx = unset<T>(n);
    kernel::gelu(exec, xf.data(), y.data(), n);
    kernel::gelu_backward(exec, xf.data(), dyf.data(), dx.data(), n);
    exec.fence();
    CHECK(difference(y, reference::gelu(x)) < tolerance<T>(4));
    auto expected = reference::gelu_backward(x, dy);
    CHECK(difference(dx, expected) < tolerance<T>(8));
    dx = to<T>(before);
    kernel::gelu_backward(exec, xf.data(), dyf.data(), dx.data(), n, true);
    exec.fence();
    for (std::size_t i = 0; i < before.size(); ++i) expected[i] += before[i];
    CHECK(difference(dx, expected) < tolerance<T>(8));

    y = unset<T>(n);
    dx = unset<T>(n);
    kernel::gelu_tanh(exec, xf.data(), y.data(), n);
    kernel::gelu_tanh_backward(exec, xf.data(), dyf.data(), dx.data(), n);
    exec.fence();
    CHECK(difference(y, reference::gelu_tanh(x)) < tolerance<T>(4));
    expected = reference::gelu_tanh_backward(x, dy);
    CHECK(difference(dx, expected) < tolerance<T>(8));
    dx = to<T>(before);
    kernel::gelu_tanh_backward(exec, xf.data(), dyf.data(), dx.data(), n, true);
    exec.fence();
    for (std::size_t i = 0; i < before.size(); ++i) expected[i] += before[i];
    CHECK(difference(dx, expected) < tolerance<T>(8));
  }
}

TEST_CASE("the oracle's activations agree with finite differences") {
  const auto x = noise(100, 1, 4.0);
  const double h = 1e-5;
  auto up = x, down = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    up[i] += h;
    down[i] -= h;
  }
  const reference::Array ones(x.size(), 1.0);
  const auto check = [&](const reference::Array& high, const reference::Array& low,
                         const reference::Array& gradient) {
    reference::Array slope(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) slope[i] = (high[i] - low[i]) / (2 * h);
    return difference(slope, gradient);
  };
  CHECK(check(reference::gelu(up), reference::gelu(down), reference::gelu_backward(x, ones)) < 1e-8);
  CHECK(check(reference::gelu_tanh(up), reference::gelu_tanh(down), reference::gelu_tanh_backward(x, ones)) <
        1e-8);
}
