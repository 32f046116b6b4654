// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace tpx::benchmark {

/// The median of a sample and an interval that holds the median of what it was drawn from.
struct MedianInterval {
  double median;
  double low, high;
};

/// How many values may be left out at either end so that the rest still holds the true median with the given
/// confidence: the largest k with 2 P(B < k) <= 1 - confidence, B ~ Binomial(n, 1/2), since each value lies
/// below the median with probability 1/2. 0: all values are not enough, or just enough.
inline std::size_t trimmed(std::size_t n, double confidence) {
  const double count = static_cast<double>(n);
  double below = 0;
  std::size_t k = 0;
  for (; 2 * k < n; ++k) {
    const double i = static_cast<double>(k);
    below += std::exp(std::lgamma(count + 1) - std::lgamma(i + 1) - std::lgamma(count - i + 1) -
                      count * std::log(2.0));
    if (2 * below > 1 - confidence) break;
  }
  return k;
}

/// The median with its 95 % interval by order statistics: nothing is assumed of the distribution but that the
/// values are independent. Of fewer than 6 values the interval is their whole range, and holds less.
///
/// @throws std::invalid_argument  when there are no values
inline MedianInterval median_interval(std::vector<double> values, double confidence = 0.95) {
  if (values.empty()) throw std::invalid_argument("median_interval: there is at least one value");
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  const std::size_t k = trimmed(n, confidence);
  // The interval of the order statistics k and n + 1 - k, counted from 1.
  const std::size_t low = k == 0 ? 0 : k - 1;
  return {(values[(n - 1) / 2] + values[n / 2]) / 2, values[low], values[n - 1 - low]};
}

}  // namespace tpx::benchmark
