// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/dropout.hpp>
#include <tpx/ops/mask.hpp>

#include <algorithm>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr DropoutKey key{7, 3, 2, 1};

/// What dropout makes of x, one element after the other.
Values dropped(Values x, double p, DropoutKey k) {
  const RandomKey random = detail::random_key(k);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const PhiloxBlock bits = philox(random.seed, random.stream, i);
    x[i] = unit_interval(bits.word[0], bits.word[1]) < p ? 0 : x[i] / (1 - p);
  }
  return x;
}

std::int64_t zeros_in(const Values& x) { return std::count(x.begin(), x.end(), 0.0); }

}  // namespace

TEST_CASE("where and masked_fill in every placement of a mask of the last dims") {
  const Values x = random_values(12 * 12 * 24, 1), y = random_values(12 * 12 * 24, 2),
               dz = random_values(12 * 12 * 24, 3);
  Values mask(12 * 24);
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = static_cast<double>(i * i % 3);  // 0, 1
  mask[5] = -2;
  Values chosen(x.size()), filled(x.size()), dx(x.size()), dy(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool set = mask[i % mask.size()] != 0;
    chosen[i] = set ? x[i] : y[i];
    filled[i] = set ? -3 : x[i];
    dx[i] = set ? dz[i] : 0;
    dy[i] = set ? 0 : dz[i];
  }
  const auto choose = [](const auto& m, const auto& a, const auto& b) { return where(m, a, b); };
  const auto fill = [](const auto& a, const auto& m) { return masked_fill(a, m, -3); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto lx, auto lm) {
      const auto a = given<T>(lx, {12, 12, 24}, x), b = given<T>(lx, {12, 12, 24}, y);
      const auto m = given<std::int32_t>(lm, {12, 24}, mask);
      check_op<T>(world, mesh, choose, chosen, dz, {Values{}, dx, dy}, 0, m, a, b);
      check_op<T>(world, mesh, fill, filled, dz, {dy, Values{}}, 0, a, m);
    };
    check(0.0, layout<>, layout<>);
    check(0.0, layout<Replicate<tp>>, layout<>);
    check(0.0, layout<Shard<0, dp>, Replicate<tp>>, layout<>);
    check(0.0, layout<Shard<0, dp>, Shard<2, tp>>, layout<Shard<1, tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp>, Shard<0, tp>>);
    check(0.0f, layout<Shard<2, tp, dp>>, layout<Shard<1, tp, dp>>);
    const auto a = zeros<double>(mesh, layout<>, {4, 3});
    const auto m = zeros<unsigned char>(mesh, layout<>, {4});
    CHECK_THROWS_WITH_AS(masked_fill(a, m, 1),
                         doctest::Contains("mask.describe() = u8[4]; x.describe() = f64[4,3]"), Error);
    CHECK_THROWS_WITH_AS(where(m, a, a), doctest::Contains("mask.describe() = u8[4]; x.describe() = f64[4,3]"),
                         Error);
    const auto row = full<unsigned char>(mesh, layout<>, {3}, static_cast<unsigned char>(200));
    CHECK(gather(masked_fill(a, row, 2)) == std::vector<double>(12, 2.0));
    // Integers are filled with what their type has.
    const auto whole_numbers = zeros<std::int64_t>(mesh, layout<>, {3});
    for (const double bad : {0.5, 0x1p63, -0x1.8p63, std::nan("")})
      CHECK_THROWS_WITH_AS(masked_fill(whole_numbers, row, bad), doctest::Contains("i64[3]"), Error);
    CHECK_THROWS_AS(masked_fill(row, row, -1), Error);
    CHECK_THROWS_AS(masked_fill(row, row, 255.5), Error);
    CHECK(gather(masked_fill(row, row, 255)) == std::vector<unsigned char>(3, 255));
    CHECK(gather(masked_fill(whole_numbers, row, -0x1p63)) == std::vector<std::int64_t>(3, INT64_MIN));
  });
}

TEST_CASE("dropout in every placement, of terms and of copies too") {
  const Values x = random_values(12 * 5 * 24, 1), dy = random_values(12 * 5 * 24, 2);
  const Values y = dropped(x, 0.3, key), dx = dropped(dy, 0.3, key);
  const auto op = [](const auto& a) { return dropout(a, 0.3, key); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto l) {
      check_op<T>(world, mesh, op, y, dy, {dx}, 0, given<T>(l, {12, 5, 24}, x));
    };
    check(0.0, layout<>);
    check(0.0, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0, layout<Shard<0, dp>, Partial<tp>>);
    check(0.0f, layout<Shard<2, tp, dp>>);
  });
}

TEST_CASE("the same elements are dropped in every layout, bit for bit, and others by another key") {
  constexpr std::int64_t n = 24 * 5 * 24;
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto drop = [&](auto l, double p, DropoutKey k) {
      return as_double(gather(dropout(full<float>(mesh, l, {24, 5, 24}, 1.0f), p, k)));
    };
    const Values expected = drop(layout<>, 0.25, key);
    CHECK(drop(layout<Shard<0, dp>, Shard<2, tp>>, 0.25, key) == expected);
    CHECK(drop(layout<Shard<2, tp, dp>>, 0.25, key) == expected);
    CHECK(drop(layout<Shard<0, tp>, Replicate<dp>>, 0.25, key) == expected);
    // A quarter of them, within five standard deviations.
    CHECK(std::abs(static_cast<double>(zeros_in(expected)) - 0.25 * n) < 5 * std::sqrt(0.25 * 0.75 * n));
    CHECK(zeros_in(drop(layout<>, 0, key)) == 0);
    for (const DropoutKey other :
         {DropoutKey{8, 3, 2, 1}, DropoutKey{7, 4, 2, 1}, DropoutKey{7, 3, 3, 1}, DropoutKey{7, 3, 2, 0}}) {
      const Values y = drop(layout<>, 0.25, other);
      std::int64_t both = 0;
      for (std::size_t i = 0; i < y.size(); ++i) both += y[i] == 0 && expected[i] == 0;
      // Independent of the first: a sixteenth is dropped by both.
      CHECK(std::abs(static_cast<double>(both) - n / 16.0) < 5 * std::sqrt(n / 16.0));
    }
    const auto x = zeros<double>(mesh, layout<>, {4});
    CHECK_THROWS_WITH_AS(dropout(x, 1, key), doctest::Contains("p = 1"), Error);
    CHECK_THROWS_WITH_AS(dropout(x, -0.1, key), doctest::Contains("p = -0.1"), Error);
  });
}
