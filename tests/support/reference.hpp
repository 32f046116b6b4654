// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

/// The oracle: every operation in double, in plain loops over whole tensors, forward and backward. Arrays
/// are dense and row-major; backward functions return gradients, they do not accumulate.
namespace reference {

using Array = std::vector<double>;
using Index = std::int64_t;

inline std::size_t at(Index i) { return static_cast<std::size_t>(i); }
inline Array zeros(Index n) { return Array(at(n), 0.0); }

/// op(a) (m, k) times op(b) (k, n): (m, n). A transposed operand is stored as (k, m) or (n, k).
inline Array matmul(const Array& a, const Array& b, Index m, Index n, Index k, bool ta = false,
                    bool tb = false) {
  Array c = zeros(m * n);
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      for (Index p = 0; p < k; ++p) {
        c[at(i * n + j)] += a[at(ta ? p * m + i : i * k + p)] * b[at(tb ? j * k + p : p * n + j)];
      }
    }
  }
  return c;
}

/// The gradients of c = a b, a (m, k), b (k, n), from dc (m, n).
struct MatmulGradient {
  Array da, db;
};
inline MatmulGradient matmul_backward(const Array& a, const Array& b, const Array& dc, Index m, Index n,
                                      Index k) {
  return {matmul(dc, b, m, k, n, false, true), matmul(a, dc, k, n, m, true, false)};
}

/// y (rows, columns) = x + b, b (columns).
inline Array bias_add(const Array& x, const Array& b, Index rows, Index columns) {
  Array y = x;
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < columns; ++c) y[at(r * columns + c)] += b[at(c)];
  }
  return y;
}

/// db (columns) = sum over rows of dy.
inline Array bias_gradient(const Array& dy, Index rows, Index columns) {
  Array db = zeros(columns);
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < columns; ++c) db[at(c)] += dy[at(r * columns + c)];
  }
  return db;
}

/// gelu(x) = x Phi(x), Phi the normal distribution function.
inline Array gelu(const Array& x) {
  Array y = x;
  for (double& v : y) v = 0.5 * v * (1.0 + std::erf(v / std::numbers::sqrt2));
  return y;
}
inline Array gelu_backward(const Array& x, const Array& dy) {
  Array dx = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double density = std::exp(-0.5 * x[i] * x[i]) / std::sqrt(2.0 * std::numbers::pi);
    dx[i] = dy[i] * (0.5 * (1.0 + std::erf(x[i] / std::numbers::sqrt2)) + x[i] * density);
  }
  return dx;
}

/// gelu_tanh(x) = x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3).
inline Array gelu_tanh(const Array& x) {
  Array y = x;
  for (double& v : y)
    v = 0.5 * v * (1.0 + std::tanh(std::sqrt(2.0 / std::numbers::pi) * (v + 0.044715 * v * v * v)));
  return y;
}
inline Array gelu_tanh_backward(const Array& x, const Array& dy) {
  Array dx = x;
  const double root = std::sqrt(2.0 / std::numbers::pi);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i], t = std::tanh(root * (v + 0.044715 * v * v * v));
    dx[i] = dy[i] * (0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * root * (1.0 + 3.0 * 0.044715 * v * v));
  }
  return dx;
}

/// y = gamma (x - mean) rstd + beta for each row of x (rows, columns); rstd = 1 / sqrt(variance + epsilon).
struct LayerNorm {
  Array y, mean, rstd;
};
inline LayerNorm layer_norm(const Array& x, const Array& gamma, const Array& beta, Index rows, Index columns,
                            double epsilon) {
  LayerNorm out{zeros(rows * columns), zeros(rows), zeros(rows)};
  for (Index r = 0; r < rows; ++r) {
    double mean = 0, variance = 0;
    for (Index c = 0; c < columns; ++c) mean += x[at(r * columns + c)] / static_cast<double>(columns);
    for (Index c = 0; c < columns; ++c) {
      const double centred = x[at(r * columns + c)] - mean;
      variance += centred * centred / static_cast<double>(columns);
    }
    const double rstd = 1.0 / std::sqrt(variance + epsilon);
    for (Index c = 0; c < columns; ++c) {
      out.y[at(r * columns + c)] = gamma[at(c)] * (x[at(r * columns + c)] - mean) * rstd + beta[at(c)];
    }
    out.mean[at(r)] = mean;
    out.rstd[at(r)] = rstd;
  }
  return out;
}

struct LayerNormGradient {
  Array dx, dgamma, dbeta;
};
inline LayerNormGradient layer_norm_backward(const Array& x, const Array& gamma, const Array& dy, Index rows,
                                             Index columns, double epsilon) {
  const LayerNorm forward = layer_norm(x, gamma, zeros(columns), rows, columns, epsilon);
  LayerNormGradient g{zeros(rows * columns), zeros(columns), zeros(columns)};
  const double n = static_cast<double>(columns);
  for (Index r = 0; r < rows; ++r) {
    double mean_g = 0, mean_gx = 0;  // of dy gamma, and of dy gamma x_hat
    for (Index c = 0; c < columns; ++c) {
      const double hat = (x[at(r * columns + c)] - forward.mean[at(r)]) * forward.rstd[at(r)];
      const double d = dy[at(r * columns + c)];
      g.dgamma[at(c)] += d * hat;
      g.dbeta[at(c)] += d;
      mean_g += d * gamma[at(c)] / n;
      mean_gx += d * gamma[at(c)] * hat / n;
    }
    for (Index c = 0; c < columns; ++c) {
      const double hat = (x[at(r * columns + c)] - forward.mean[at(r)]) * forward.rstd[at(r)];
      g.dx[at(r * columns + c)] =
          forward.rstd[at(r)] * (dy[at(r * columns + c)] * gamma[at(c)] - mean_g - hat * mean_gx);
    }
  }
  return g;
}

/// Extents of attention: q, o (b, s, h, d); k, v (b, t, hk, d); lse (b, h, s). Query head i reads key head
/// i / (h / hk), or (first_head + i) / sharing. With `causal`, query i sees the keys 0 .. i + t - s; of b none
/// from lengths[b] on.
struct AttentionShape {
  Index b, s, t, h, hk, d;
  bool causal;
  double scale;
  std::vector<std::int32_t> lengths{};
  Index sharing = 0, first_head = 0;

  Index key_head(Index head) const { return (first_head + head) / (sharing > 0 ? sharing : h / hk); }
  Index keys(Index sample, Index query) const {
    const Index all = lengths.empty() ? t : std::min(t, Index{lengths[at(sample)]});
    return causal ? std::min(all, query + t - s + 1) : all;
  }
};

struct Attention {
  Array o, lse;
};
inline Attention attention(const Array& q, const Array& k, const Array& v, const AttentionShape& n) {
  Attention out{zeros(n.b * n.s * n.h * n.d), zeros(n.b * n.h * n.s)};
  for (Index b = 0; b < n.b; ++b) {
    for (Index h = 0; h < n.h; ++h) {
      const Index hk = n.key_head(h);
      for (Index i = 0; i < n.s; ++i) {
        const Index keys = n.keys(b, i);
        const double* q_row = q.data() + ((b * n.s + i) * n.h + h) * n.d;
        Array score;  // of the keys that this query sees
        double largest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (Index j = 0; j < keys; ++j) {
          double dot = 0;
          for (Index c = 0; c < n.d; ++c) dot += q_row[c] * k[at(((b * n.t + j) * n.hk + hk) * n.d + c)];
          score.push_back(dot * n.scale);
          largest = std::fmax(largest, score.back());
        }
        for (double& x : score) sum += x = std::exp(x - largest);
        for (Index j = 0; j < keys; ++j) {
          for (Index c = 0; c < n.d; ++c) {
            out.o[at(((b * n.s + i) * n.h + h) * n.d + c)] +=
                score[at(j)] / sum * v[at(((b * n.t + j) * n.hk + hk) * n.d + c)];
          }
        }
        out.lse[at((b * n.h + h) * n.s + i)] = keys > 0 ? largest + std::log(sum) : largest;
      }
    }
  }
  return out;
}

struct AttentionGradient {
  Array dq, dk, dv;
};
inline AttentionGradient attention_backward(const Array& q, const Array& k, const Array& v, const Array& d_o,
                                            const AttentionShape& n) {
  AttentionGradient g{zeros(n.b * n.s * n.h * n.d), zeros(n.b * n.t * n.hk * n.d),
                      zeros(n.b * n.t * n.hk * n.d)};
  const Attention forward = attention(q, k, v, n);
  for (Index b = 0; b < n.b; ++b) {
    for (Index h = 0; h < n.h; ++h) {
      const Index hk = n.key_head(h);
      for (Index i = 0; i < n.s; ++i) {
        const Index keys = n.keys(b, i);
        const Index query = ((b * n.s + i) * n.h + h) * n.d;
        Array p, dp;  // the row of probabilities and its gradient
        double mean = 0;
        for (Index j = 0; j < keys; ++j) {
          const Index key = ((b * n.t + j) * n.hk + hk) * n.d;
          double dot = 0, d_dot = 0;
          for (Index c = 0; c < n.d; ++c) {
            dot += q[at(query + c)] * k[at(key + c)];
            d_dot += d_o[at(query + c)] * v[at(key + c)];
          }
          p.push_back(std::exp(dot * n.scale - forward.lse[at((b * n.h + h) * n.s + i)]));
          dp.push_back(d_dot);
          mean += p.back() * d_dot;
        }
        for (Index j = 0; j < keys; ++j) {
          const Index key = ((b * n.t + j) * n.hk + hk) * n.d;
          const double ds = p[at(j)] * (dp[at(j)] - mean) * n.scale;
          for (Index c = 0; c < n.d; ++c) {
            g.dq[at(query + c)] += ds * k[at(key + c)];
            g.dk[at(key + c)] += ds * q[at(query + c)];
            g.dv[at(key + c)] += p[at(j)] * d_o[at(query + c)];
          }
        }
      }
    }
  }
  return g;
}

/// y (rows, columns) = table[id], table (vocabulary, columns); an id outside gives a row of zeros.
inline Array embedding(const std::vector<std::int32_t>& id, const Array& table, Index vocabulary,
                       Index columns) {
  Array y = zeros(static_cast<Index>(id.size()) * columns);
  for (std::size_t r = 0; r < id.size(); ++r) {
    if (id[r] < 0 || id[r] >= vocabulary) continue;
    for (Index c = 0; c < columns; ++c) y[r * at(columns) + at(c)] = table[at(id[r] * columns + c)];
  }
  return y;
}
inline Array embedding_backward(const std::vector<std::int32_t>& id, const Array& dy, Index vocabulary,
                                Index columns) {
  Array dtable = zeros(vocabulary * columns);
  for (std::size_t r = 0; r < id.size(); ++r) {
    if (id[r] < 0 || id[r] >= vocabulary) continue;
    for (Index c = 0; c < columns; ++c) dtable[at(id[r] * columns + c)] += dy[r * at(columns) + at(c)];
  }
  return dtable;
}

/// The sum over rows of -log softmax(logits)[target], logits (rows, columns), over the first `valid`
/// columns; and its gradient, which is zero in the others.
struct CrossEntropy {
  double loss;
  Array dlogits;
};
inline CrossEntropy cross_entropy(const Array& logits, const std::vector<std::int32_t>& target, Index rows,
                                  Index columns, Index valid) {
  CrossEntropy out{0.0, zeros(rows * columns)};
  for (Index r = 0; r < rows; ++r) {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (Index c = 0; c < valid; ++c) largest = std::fmax(largest, logits[at(r * columns + c)]);
    for (Index c = 0; c < valid; ++c) sum += std::exp(logits[at(r * columns + c)] - largest);
    out.loss += std::log(sum) + largest - logits[at(r * columns + target[at(r)])];
    for (Index c = 0; c < valid; ++c) {
      out.dlogits[at(r * columns + c)] =
          std::exp(logits[at(r * columns + c)] - largest) / sum - (c == target[at(r)] ? 1.0 : 0.0);
    }
  }
  return out;
}

}  // namespace reference
