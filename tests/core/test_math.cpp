// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include <doctest/doctest.h>

#include <tpx/core/math.hpp>

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Units in the last place between a float and the exact value.
double ulps(float got, double exact) {
  const float rounded = static_cast<float>(exact);
  const double step =
      std::fmax(static_cast<double>(std::nextafter(std::fabs(rounded), infinity)) - std::fabs(rounded),
                static_cast<double>(std::numeric_limits<float>::denorm_min()));
  return std::fabs(static_cast<double>(got) - exact) / step;
}

/// The largest error of f over floats of every size and both signs up to `limit`.
template <class F, class Exact>
double worst(F&& f, Exact&& exact, float limit) {
  double error = 0;
  const std::uint32_t last = std::bit_cast<std::uint32_t>(limit);
  for (std::uint32_t bits = 0; bits <= last; bits += 4999) {
    const float x = std::bit_cast<float>(bits);
    for (const float v : {x, -x}) error = std::fmax(error, ulps(f(v), exact(static_cast<double>(v))));
  }
  return error;
}

}  // namespace

TEST_CASE("math: float functions are within 2 units in the last place") {
  CHECK(worst([](float x) { return tpx::math::exp(x); }, [](double x) { return std::exp(x); }, 88.0F) <= 2.0);
  CHECK(worst([](float x) { return tpx::math::tanh(x); }, [](double x) { return std::tanh(x); }, 50.0F) <= 2.0);
  CHECK(worst([](float x) { return tpx::math::erf(x); }, [](double x) { return std::erf(x); }, 50.0F) <= 2.0);
}

TEST_CASE("math: ends and what is no number") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(tpx::math::exp(infinity) == infinity);
  CHECK(tpx::math::exp(-infinity) == 0.0F);
  CHECK(tpx::math::exp(200.0F) == infinity);
  CHECK(tpx::math::exp(-200.0F) == 0.0F);
  CHECK(tpx::math::exp(0.0F) == 1.0F);
  CHECK(std::isnan(tpx::math::exp(nan)));
  CHECK(tpx::math::tanh(infinity) == 1.0F);
  CHECK(tpx::math::tanh(-infinity) == -1.0F);
  CHECK(std::isnan(tpx::math::tanh(nan)));
  CHECK(tpx::math::erf(infinity) == 1.0F);
  CHECK(tpx::math::erf(-infinity) == -1.0F);
  CHECK(std::isnan(tpx::math::erf(nan)));
  CHECK(std::signbit(tpx::math::tanh(-0.0F)));
  CHECK(std::signbit(tpx::math::erf(-0.0F)));
}

TEST_CASE("math: double is the standard library's") {
  CHECK(tpx::math::exp(1.5) == std::exp(1.5));
  CHECK(tpx::math::tanh(1.5) == std::tanh(1.5));
  CHECK(tpx::math::erf(1.5) == std::erf(1.5));
}
