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
static_assert(half_from_float(65504.0F) == 0x7bff && bfloat16_from_float(1.0F) == 0x3f80);

namespace {

/// By the definition of the format, not by bits.
double value_of(unsigned pattern, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(pattern >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const double fraction =
      std::ldexp(static_cast<double>(pattern & ((1u << mantissa_bits) - 1)), -mantissa_bits);
  const double sign = pattern >> 15 & 1u ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  return sign * (exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias));
}

bool same(float is, double expected) {
  if (std::isnan(expected)) return std::isnan(is);
  return static_cast<double>(is) == expected && std::signbit(is) == std::signbit(expected);
}

/// Whether `round` gives the pattern of the nearest value, for floats at, beside and between all neighbours.
template <class Round, class Value>
int wrong_roundings(unsigned largest, Round round, Value value) {
  int wrong = 0;
  for (unsigned low = 0; low < largest; ++low) {
    const float a = value(static_cast<std::uint16_t>(low)), b = value(static_cast<std::uint16_t>(low + 1));
    const float middle = a / 2 + b / 2;
    const float below = std::nextafter(middle, 0.0F), above = std::nextafter(middle, b);
    const unsigned even = low % 2 == 0 ? low : low + 1;
    for (const unsigned sign : {0u, 0x8000u}) {
      const float s = sign != 0 ? -1.0F : 1.0F;
      wrong += round(s * a) != (low | sign);
      wrong += round(s * middle) != (even | sign);
      wrong += below > a && round(s * below) != (low | sign);
      wrong += above < b && round(s * above) != ((low + 1) | sign);
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("all 65,536 patterns of each format have their value, and come back") {
  int wrong = 0;
  for (unsigned p = 0; p < 0x10000u; ++p) {
    const auto pattern = static_cast<std::uint16_t>(p);
    wrong += !same(float_from_half(pattern), value_of(p, 5, 10));
    wrong += !same(float_from_bfloat16(pattern), value_of(p, 8, 7));
    wrong += half_from_float(float_from_half(pattern)) != pattern;
    wrong += bfloat16_from_float(float_from_bfloat16(pattern)) != pattern;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a float becomes the nearest value, the even one of two") {
  CHECK(wrong_roundings(0x7bff, half_from_float, float_from_half) == 0);
  CHECK(wrong_roundings(0x7f7f, bfloat16_from_float, float_from_bfloat16) == 0);
}

TEST_CASE("what is too large becomes infinity, and a NaN stays one") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(half_from_float(std::nextafter(65520.0F, 0.0F)) == 0x7bff);
  CHECK(half_from_float(65520.0F) == 0x7c00);
  CHECK(half_from_float(-1e30F) == 0xfc00);
  CHECK(half_from_float(infinity) == 0x7c00);
  CHECK(bfloat16_from_float(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(bfloat16_from_float(-infinity) == 0xff80);
  for (const std::uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fc00000u, 0x7fffffffu}) {
    const float nan = std::bit_cast<float>(bits);
    CHECK(std::isnan(float_from_half(half_from_float(nan))));
    CHECK(std::isnan(float_from_bfloat16(bfloat16_from_float(nan))));
  }
}
