// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/core/math.hpp>
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
