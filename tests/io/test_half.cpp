// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/half.hpp>

#include <doctest/doctest.h>
#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

using namespace tpx;

static_assert(float_from_half(0x3c00) == 1.0F && float_from_half(0x0001) == 0x1p-24F);
static_assert(half_from_float(65504.0F) == 0x7bff);

namespace {

/// By the definition of the format, not by bits.
double value_of(unsigned pattern) {
  const int exponent = static_cast<int>(pattern >> 10) & 0x1f;
  const double fraction = std::ldexp(static_cast<double>(pattern & 0x3ffu), -10);
  const double sign = pattern >> 15 & 1u ? -1 : 1;
  if (exponent == 0x1f)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  return sign * (exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15));
}

bool same(float is, double expected) {
  if (std::isnan(expected)) return std::isnan(is);
  return static_cast<double>(is) == expected && std::signbit(is) == std::signbit(expected);
}

/// How many floats at, beside and between all neighbours do not become the nearest.
int wrong_roundings() {
  int wrong = 0;
  for (unsigned low = 0; low < 0x7bff; ++low) {
    const auto a = static_cast<float>(value_of(low)), b = static_cast<float>(value_of(low + 1));
    const float middle = a / 2 + b / 2;
    const float below = std::nextafter(middle, 0.0F), above = std::nextafter(middle, b);
    const unsigned even = low % 2 == 0 ? low : low + 1;
    for (const unsigned sign : {0u, 0x8000u}) {
      const float s = sign != 0 ? -1.0F : 1.0F;
      wrong += half_from_float(s * a) != (low | sign);
      wrong += half_from_float(s * middle) != (even | sign);
      wrong += below > a && half_from_float(s * below) != (low | sign);
      wrong += above < b && half_from_float(s * above) != ((low + 1) | sign);
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("all 65,536 patterns have their value, and come back") {
  int wrong = 0;
  for (unsigned p = 0; p < 0x10000u; ++p) {
    const auto pattern = static_cast<std::uint16_t>(p);
    wrong += !same(float_from_half(pattern), value_of(p));
    wrong += half_from_float(float_from_half(pattern)) != pattern;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a float becomes the nearest value, the even one of two") { CHECK(wrong_roundings() == 0); }

TEST_CASE("what is too large becomes infinity, and a NaN stays one") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(half_from_float(std::nextafter(65520.0F, 0.0F)) == 0x7bff);
  CHECK(half_from_float(65520.0F) == 0x7c00);
  CHECK(half_from_float(-1e30F) == 0xfc00);
  CHECK(half_from_float(infinity) == 0x7c00);
  for (const std::uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fc00000u, 0x7fffffffu}) {
    const float nan = std::bit_cast<float>(bits);
    CHECK(std::isnan(float_from_half(half_from_float(nan))));
  }
}
