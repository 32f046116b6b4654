// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <doctest/doctest.h>

#include <cstddef>
#include <random>
#include <stdexcept>
#include <vector>

#include "benchmarks/statistics.hpp"

namespace {

using tpx::benchmark::median_interval;
using tpx::benchmark::MedianInterval;

/// n, n - 1, ..., 1: the value at a place counted from 1 is the place.
std::vector<double> places(int n) {
  std::vector<double> values;
  for (int i = n; i >= 1; --i) values.push_back(i);
  return values;
}

}  // namespace

TEST_CASE("the median is the middle value, or the mean of the two") {
  CHECK(median_interval({3, 1, 2}).median == 2);
  CHECK(median_interval({4, 1, 3, 2}).median == 2.5);
  CHECK(median_interval({7}).median == 7);
}

TEST_CASE("the interval has the published places of the order statistics") {
  struct Case {
    int n, low, high;
  };
  // From the cumulative binomial distribution; any table of the sign test has them.
  for (const auto& [n, low, high] : {Case{6, 1, 6}, Case{8, 1, 8}, Case{9, 2, 8}, Case{10, 2, 9},
                                     Case{12, 3, 10}, Case{20, 6, 15}, Case{50, 18, 33}, Case{100, 40, 61}}) {
    CAPTURE(n);
    const MedianInterval found = median_interval(places(n));
    CHECK(found.low == low);
    CHECK(found.high == high);
  }
}

TEST_CASE("few values give their whole range") {
  for (int n = 1; n <= 5; ++n) {
    const MedianInterval found = median_interval(places(n));
    CHECK(found.low == 1);
    CHECK(found.high == n);
  }
  CHECK_THROWS_AS(median_interval({}), std::invalid_argument);
}

TEST_CASE("the interval holds the true median about as often as it says") {
  std::mt19937_64 generator(1);
  std::exponential_distribution<double> skewed(1.0);
  const double median = 0.69314718055994531;
  int held = 0;
  constexpr int trials = 2000;
  for (int t = 0; t < trials; ++t) {
    std::vector<double> sample(50);
    for (double& x : sample) x = skewed(generator);
    const MedianInterval found = median_interval(sample);
    held += found.low <= median && median <= found.high ? 1 : 0;
  }
  // At n = 50 the places 18 and 33 hold it with probability 0.967; five standard deviations are 0.02.
  CHECK(held > trials * 0.947);
  CHECK(held < trials * 0.987);
}
