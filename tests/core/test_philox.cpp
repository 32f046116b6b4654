// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <cmath>
#include <cstdint>
#include <set>

#include <doctest/doctest.h>

#include <tpx/core/philox.hpp>

namespace {

using tpx::PhiloxBlock;

// The vectors that the generator's authors publish for 4x32-10.
static_assert(tpx::philox(PhiloxBlock{{0, 0, 0, 0}}, {{0, 0}}) ==
              PhiloxBlock{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
static_assert(tpx::philox(PhiloxBlock{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
                          {{0xffffffff, 0xffffffff}}) ==
              PhiloxBlock{{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
static_assert(tpx::philox(PhiloxBlock{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
                          {{0xa4093822, 0x299f31d0}}) ==
              PhiloxBlock{{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});

// Index, stream and seed are the counter's low and high words, and the key.
static_assert(tpx::philox(std::uint64_t{0x299f31d0a4093822}, std::uint64_t{0x0370734413198a2e},
                          std::uint64_t{0x85a308d3243f6a88}) ==
              PhiloxBlock{{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});

static_assert(tpx::unit_interval(0, 0) == 0.0);
static_assert(tpx::unit_interval(0, 0x7ff) == 0.0);  // the last 11 bits do not count
static_assert(tpx::unit_interval(0x80000000, 0) == 0.5);
static_assert(tpx::unit_interval(0xffffffff, 0xffffffff) == 1.0 - 0x1p-53);

}  // namespace

TEST_CASE("philox: another seed, stream or index, another block") {
  std::set<std::uint64_t> seen;
  int blocks = 0;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 32, 1ull << 63}) {
    for (const std::uint64_t stream : {0ull, 1ull, 1ull << 32}) {
      for (const std::uint64_t index : {0ull, 1ull, 2ull, 1ull << 32, 1ull << 63}) {
        const PhiloxBlock b = tpx::philox(seed, stream, index);
        seen.insert(std::uint64_t{b.word[0]} << 32 | b.word[1]);
        ++blocks;
      }
    }
  }
  CHECK(static_cast<int>(seen.size()) == blocks);
}

TEST_CASE("philox: mean and variance of the unit interval") {
  const int n = 20000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const PhiloxBlock b = tpx::philox(7u, 0u, static_cast<std::uint64_t>(i));
    const double u = tpx::unit_interval(b.word[0], b.word[1]);
    REQUIRE(u >= 0.0);
    REQUIRE(u < 1.0);
    sum += u;
    squares += u * u;
  }
  const double mean = sum / n;
  CHECK(std::fabs(mean - 0.5) < 5.0 * std::sqrt(1.0 / 12.0 / n));
  CHECK(std::fabs(squares / n - mean * mean - 1.0 / 12.0) < 5.0 * std::sqrt(1.0 / 180.0 / n));
}
