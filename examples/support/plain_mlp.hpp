// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>

#include "plain.hpp"

namespace plain {

/// The MLP of 07_train_mlp and how it is trained, in one process: y = gelu(x W1 + b1) W2 + b2, mean squared
/// error, AdamW with weight decay on the weights.
class TrainedMlp {
 public:
  /// The parameters in the order W1, b1, W2, b2.
  TrainedMlp(std::vector<Values> parameters, std::int64_t in, std::int64_t hidden, std::int64_t out)
      : p_(std::move(parameters)), m_(p_), v_(p_), in_(in), hidden_(hidden), out_(out) {
    for (Values& m : m_) std::fill(m.begin(), m.end(), 0.0);
    for (Values& v : v_) std::fill(v.begin(), v.end(), 0.0);
  }

  /// One step on `rows` samples; returns the loss before it.
  double step(const Values& x, const Values& target, std::int64_t rows, double rate, double decay) {
    Values a = matmul(x, p_[0], rows, in_, hidden_);
    add_rows(a, p_[1]);
    Values h = a;
    for (double& value : h) value = gelu_tanh(value);
    Values y = matmul(h, p_[2], rows, hidden_, out_);
    add_rows(y, p_[3]);

    double loss = 0;
    const auto n = static_cast<double>(y.size());
    Values dy(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      loss += (y[i] - target[i]) * (y[i] - target[i]) / n;
      dy[i] = 2 * (y[i] - target[i]) / n;
    }
    const Values dw2 = matmul(transpose(h, rows, hidden_), dy, hidden_, rows, out_);
    Values da = matmul(dy, transpose(p_[2], hidden_, out_), rows, out_, hidden_);
    for (std::size_t i = 0; i < da.size(); ++i) da[i] *= gelu_tanh_slope(a[i]);
    const Values dw1 = matmul(transpose(x, rows, in_), da, in_, rows, hidden_);

    ++steps_;
    adamw(0, dw1, rate, decay);
    adamw(1, sum_rows(da, hidden_), rate, 0);
    adamw(2, dw2, rate, decay);
    adamw(3, sum_rows(dy, out_), rate, 0);
    return loss;
  }

 private:
  static void add_rows(Values& x, const Values& b) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += b[i % b.size()];
  }
  static Values sum_rows(const Values& x, std::int64_t columns) {
    Values sum = zeros(columns);
    for (std::size_t i = 0; i < x.size(); ++i) sum[i % sum.size()] += x[i];
    return sum;
  }

  void adamw(std::size_t which, const Values& g, double rate, double decay) {
    Values &p = p_[which], &m = m_[which], &v = v_[which];
    for (std::size_t i = 0; i < p.size(); ++i) {
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
      const double m_hat = m[i] / (1 - std::pow(0.9, steps_)), v_hat = v[i] / (1 - std::pow(0.999, steps_));
      p[i] = (1 - rate * decay) * p[i] - rate * m_hat / (std::sqrt(v_hat) + 1e-8);
    }
  }

  std::vector<Values> p_, m_, v_;
  std::int64_t in_, hidden_, out_;
  int steps_ = 0;
};

}  // namespace plain
