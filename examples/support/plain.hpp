// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

/// What the examples compare with: one process, whole tensors, row-major, plain loops in double.
namespace plain {

using Values = std::vector<double>;

template <class T>
Values values(const std::vector<T>& v) {
  return Values(v.begin(), v.end());
}

inline std::size_t at(std::int64_t i, std::int64_t n, std::int64_t j) {
  return static_cast<std::size_t>(i * n + j);
}
inline Values zeros(std::int64_t n) { return Values(static_cast<std::size_t>(n)); }

inline Values transpose(const Values& x, std::int64_t m, std::int64_t n) {
  Values y = zeros(m * n);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) y[at(j, m, i)] = x[at(i, n, j)];
  return y;
}

/// (m, k) times (k, n)
inline Values matmul(const Values& x, const Values& w, std::int64_t m, std::int64_t k, std::int64_t n) {
  Values y = zeros(m * n);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t c = 0; c < k; ++c)
      for (std::int64_t j = 0; j < n; ++j) y[at(i, n, j)] += x[at(i, k, c)] * w[at(c, n, j)];
  return y;
}

inline double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

inline constexpr double gelu_tanh_c = 0.7978845608028654;  // sqrt(2 / pi)
inline double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(gelu_tanh_c * (x + 0.044715 * x * x * x)));
}
inline double gelu_tanh_slope(double x) {
  const double t = std::tanh(gelu_tanh_c * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * gelu_tanh_c * (1 + 3 * 0.044715 * x * x);
}

/// Causal attention; q, k, v and the result are (batch, positions, heads, depth).
inline Values attention(const Values& q, const Values& k, const Values& v, std::int64_t batch,
                        std::int64_t positions, std::int64_t heads, std::int64_t depth) {
  Values o(q.size());
  const auto row = [&](std::int64_t b, std::int64_t s, std::int64_t h) {
    return static_cast<std::size_t>(((b * positions + s) * heads + h) * depth);
  };
  const auto d = static_cast<std::size_t>(depth);
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t s = 0; s < positions; ++s) {
        double sum = 0;
        for (std::int64_t t = 0; t <= s; ++t) {
          double score = 0;
          for (std::size_t i = 0; i < d; ++i) score += q[row(b, s, h) + i] * k[row(b, t, h) + i];
          const double weight = std::exp(score / std::sqrt(static_cast<double>(depth)));
          sum += weight;
          for (std::size_t i = 0; i < d; ++i) o[row(b, s, h) + i] += weight * v[row(b, t, h) + i];
        }
        for (std::size_t i = 0; i < d; ++i) o[row(b, s, h) + i] /= sum;
      }
    }
  }
  return o;
}

/// Mean cross-entropy of (rows, classes) logits; where `gradient` is given it receives d loss / d logits.
inline double cross_entropy(const Values& logits, const std::vector<std::int32_t>& targets, std::int64_t rows,
                            std::int64_t classes, Values* gradient = nullptr) {
  double loss = 0;
  if (gradient != nullptr) *gradient = zeros(rows * classes);
  for (std::int64_t i = 0; i < rows; ++i) {
    const double* row = &logits[at(i, classes, 0)];
    const std::int64_t target = targets[static_cast<std::size_t>(i)];
    const double largest = *std::max_element(row, row + classes);
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(row[c] - largest);
    loss += (largest + std::log(sum) - row[target]) / static_cast<double>(rows);
    if (gradient == nullptr) continue;
    for (std::int64_t c = 0; c < classes; ++c)
      (*gradient)[at(i, classes, c)] =
          (std::exp(row[c] - largest) / sum - (c == target ? 1 : 0)) / static_cast<double>(rows);
  }
  return loss;
}

}  // namespace plain
