// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/core/bfloat16.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include <doctest/doctest.h>

using tpx::bfloat16;

static_assert(bfloat16(1.0F).bits() == 0x3f80 && bfloat16(-2.0).bits() == 0xc000 &&
              bfloat16(3).bits() == 0x4040);
static_assert(bfloat16(0.5F) < bfloat16(1) && bfloat16(0.0F) == bfloat16(-0.0F) &&
              bfloat16(2) + bfloat16(1) == 3.0F);

namespace {

bfloat16 pattern(unsigned bits) { return bfloat16::from_bits(static_cast<std::uint16_t>(bits)); }

/// By the definition of the format, not by bits.
double value_of(unsigned bits) {
  const int exponent = static_cast<int>(bits >> 7 & 0xffu);
  const double fraction = static_cast<double>(bits & 0x7fu) / 128;
  const double sign = (bits & 0x8000u) != 0 ? -1 : 1;
  if (exponent == 255)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  return sign * (exponent == 0 ? std::ldexp(fraction, -126) : std::ldexp(1 + fraction, exponent - 127));
}

/// How many Numbers at, beside and between all neighbours do not become the nearest.
template <class Number>
int wrong_roundings() {
  int wrong = 0;
  for (unsigned low = 0; low < 0x7f7f; ++low) {
    const auto a = static_cast<Number>(value_of(low)), b = static_cast<Number>(value_of(low + 1));
    const Number middle = a / 2 + b / 2;
    const Number below = std::nextafter(middle, Number(0)), above = std::nextafter(middle, b);
    const unsigned even = low % 2 == 0 ? low : low + 1;
    for (const unsigned sign : {0u, 0x8000u}) {
      const Number s = sign != 0 ? Number(-1) : Number(1);
      wrong += bfloat16(s * a).bits() != (low | sign);
      wrong += bfloat16(s * middle).bits() != (even | sign);
      wrong += below > a && bfloat16(s * below).bits() != (low | sign);
      wrong += above < b && bfloat16(s * above).bits() != ((low + 1) | sign);
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("bfloat16: all patterns have their value, and come back; a NaN comes back quiet") {
  int wrong = 0;
  for (unsigned bits = 0; bits < 0x10000u; ++bits) {
    const float value = pattern(bits);
    const double expected = value_of(bits);
    if (std::isnan(expected)) {
      wrong += !std::isnan(value) || bfloat16(value).bits() != (bits | 0x40u);
    } else {
      wrong += static_cast<double>(value) != expected || std::signbit(value) != std::signbit(expected);
      wrong += bfloat16(value).bits() != bits || bfloat16(expected).bits() != bits;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("bfloat16: a number becomes the nearest, the even one of two, from double too") {
  CHECK(wrong_roundings<float>() == 0);
  CHECK(wrong_roundings<double>() == 0);
}

TEST_CASE("bfloat16: what is too large becomes infinity, what is too small zero") {
  CHECK(bfloat16(std::numeric_limits<float>::max()).bits() == 0x7f80);
  CHECK(bfloat16(-std::numeric_limits<double>::max()).bits() == 0xff80);
  CHECK(bfloat16(-std::numeric_limits<float>::infinity()).bits() == 0xff80);
  CHECK(bfloat16(-std::numeric_limits<double>::denorm_min()).bits() == 0x8000);
  for (const std::uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fc00000u, 0x7fffffffu}) {
    const float nan = std::bit_cast<float>(bits);
    CHECK(std::isnan(static_cast<float>(bfloat16(nan))));
    CHECK(std::isnan(static_cast<float>(bfloat16(static_cast<double>(nan)))));
  }
}

TEST_CASE("bfloat16: += adds in float and rounds") {
  bfloat16 sum(256);
  sum += bfloat16(1);
  CHECK(sum == 256.0F);  // a tie, to the even one
  sum += 3;
  CHECK(sum == 260.0F);  // 259 lies between 258 and 260; again a tie
}
