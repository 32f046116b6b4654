// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "validator/op.hpp"

/// What ops compute, as loops.
namespace validator {

/// Visits all values of all factors: f(index of each operand, index of the result).
template <class F>
void for_each_factor(const OpRule& rule, const Fields& x, F&& f) {
  std::vector<int> factors;
  Shape extents;
  for (int i = 0; i < rule.operands; ++i) {
    for (int d = 0; d < rule.ndim[i]; ++d) {
      const int factor = rule.factor[i][d];
      if (std::find(factors.begin(), factors.end(), factor) != factors.end()) continue;
      factors.push_back(factor);
      extents.push_back(x[static_cast<std::size_t>(i)].shape[d]);
    }
  }
  const auto at = [&](int factor, const Index& values) {
    return values[static_cast<std::size_t>(std::find(factors.begin(), factors.end(), factor) -
                                           factors.begin())];
  };
  for_each_index(extents, [&](const Index& values) {
    std::vector<Index> in(static_cast<std::size_t>(rule.operands));
    Index out{};
    for (int i = 0; i < rule.operands; ++i)
      for (int d = 0; d < rule.ndim[i]; ++d)
        in[static_cast<std::size_t>(i)][static_cast<std::size_t>(d)] = at(rule.factor[i][d], values);
    for (int d = 0; d < rule.result_ndim; ++d) out[static_cast<std::size_t>(d)] = at(rule.result[d], values);
    f(in, out);
  });
}

/// Sums of products over the factors that the result does not have.
inline Op product(std::string name, const OpRule& rule) {
  return {std::move(name), rule, [rule](const Fields& x, Field& y) {
            for_each_factor(rule, x, [&](const std::vector<Index>& in, const Index& out) {
              Number term = x[0][in[0]];
              for (std::size_t i = 1; i < x.size(); ++i) term = term * x[i][in[i]];
              y[out] = y[out] + term;
            });
          }};
}

/// f of the operands' elements, summed over the factors that the result does not have.
template <class F>
Op pointwise(std::string name, const OpRule& rule, F f) {
  return {std::move(name), rule, [rule, f](const Fields& x, Field& y) {
            for_each_factor(rule, x, [&](const std::vector<Index>& in, const Index& out) {
              std::vector<Number> values;
              for (std::size_t i = 0; i < x.size(); ++i) values.push_back(x[i][in[i]]);
              y[out] = y[out] + f(values);
            });
          }};
}

/// The global number of elements that each of the result is the sum of.
inline double terms(const OpRule& rule, const Field& x) {
  double n = 1;
  for (int d = 0; d < rule.ndim[0]; ++d)
    if (rule.result_dim_of(rule.factor[0][d]) < 0) n *= static_cast<double>(x.whole[d]);
  return n;
}

/// f of the operands' elements, averaged over the factors that the result does not have.
template <class F>
Op average(std::string name, const OpRule& rule, F f) {
  Op op = pointwise(std::move(name), rule, f);
  op.compute = [rule, sum = op.compute](const Fields& x, Field& y) {
    sum(x, y);
    for (Number& v : y.data) v = v / terms(rule, x[0]);
  };
  return op;
}

/// Lines of a tensor along a dim: f(first index).
template <class F>
void for_each_line(const Shape& shape, int dim, F&& f) {
  Shape others = shape;
  others[dim] = 1;
  for_each_index(others, f);
}

inline Index moved(Index i, int dim, std::int64_t by) {
  i[static_cast<std::size_t>(dim)] += by;
  return i;
}
inline Index without(const Index& i, int dim) {
  Index j{};
  for (std::size_t d = 0, to = 0; d + 1 < i.size(); ++d)
    if (static_cast<int>(d) != dim) j[to++] = i[d];
  return j;
}

inline Op softmax(std::string name, const OpRule& rule, int dim, bool log_sum) {
  Op op{std::move(name), rule, [dim, log_sum](const Fields& x, Field& y) {
          const std::int64_t n = x[0].shape[dim];
          for_each_line(x[0].shape, dim, [&](const Index& i) {
            Number total;
            for (std::int64_t j = 0; j < n; ++j) total = total + exp(x[0][moved(i, dim, j)]);
            if (log_sum) {
              y[without(i, dim)] = log(total);
            } else {
              for (std::int64_t j = 0; j < n; ++j) y[moved(i, dim, j)] = exp(x[0][moved(i, dim, j)]) / total;
            }
          });
        }};
  op.over = true;
  return op;
}

inline Op norm(std::string name, const OpRule& rule, bool centered) {
  return {std::move(name), rule, [centered](const Fields& x, Field& y) {
            const int last = x[0].shape.ndim() - 1;
            const std::int64_t n = x[0].shape[last];
            const double count = static_cast<double>(n);
            for_each_line(x[0].shape, last, [&](const Index& i) {
              Number mean, square;
              for (std::int64_t j = 0; centered && j < n; ++j) mean = mean + x[0][moved(i, last, j)] / count;
              for (std::int64_t j = 0; j < n; ++j) {
                const Number off = x[0][moved(i, last, j)] - mean;
                square = square + off * off / count;
              }
              for (std::int64_t j = 0; j < n; ++j) {
                y[moved(i, last, j)] = (x[0][moved(i, last, j)] - mean) / sqrt(square + 1e-5) * x[1](j);
                if (centered) y[moved(i, last, j)] = y[moved(i, last, j)] + x[2](j);
              }
            });
          }};
}

/// The largest or smallest; of no elements an infinity, which no other term exceeds.
inline Op extreme(std::string name, const OpRule& rule, bool largest) {
  return {std::move(name), rule, [rule, largest](const Fields& x, Field& y) {
            constexpr double infinity = std::numeric_limits<double>::infinity();
            for (Number& v : y.data) v = largest ? -infinity : infinity;
            for_each_factor(rule, x, [&](const std::vector<Index>& in, const Index& out) {
              y[out] = largest ? larger(y[out], x[0][in[0]]) : smaller(y[out], x[0][in[0]]);
            });
          }};
}

inline Op euclidean_norm(std::string name, const OpRule& rule) {
  Op op = pointwise(std::move(name), rule, [](const std::vector<Number>& v) { return v[0] * v[0]; });
  op.compute = [squares = op.compute](const Fields& x, Field& y) {
    squares(x, y);
    for (Number& v : y.data) v = sqrt(v);
  };
  op.over = true;
  return op;
}

/// Drawn by the place in the whole tensor: factor(its number there).
template <class F>
Op dropout(const OpRule& rule, F factor) {
  return {"dropout", rule, [factor](const Fields& x, Field& y) {
            for_each_index(y.shape, [&](const Index& i) {
              std::int64_t place = 0;
              for (int d = 0; d < y.shape.ndim(); ++d) {
                const auto dim = static_cast<std::size_t>(d);
                place = place * x[0].whole[d] + i[dim] + x[0].first[dim];
              }
              y[i] = x[0][i] * factor(place);
            });
          }};
}

inline Op masked(std::string name, const OpRule& rule, std::size_t mask, bool fill) {
  Op op{std::move(name), rule, [rule, mask, fill](const Fields& x, Field& y) {
          for_each_factor(rule, x, [&](const std::vector<Index>& in, const Index& out) {
            const bool set = x[mask][in[mask]].value > 0.5;
            y[out] = fill ? (set ? Number(-3.0) : x[0][in[0]]) : (set ? x[1][in[1]] : x[2][in[2]]);
          });
        }};
  op.without_gradient = 1u << mask;
  op.value = [mask](std::size_t operand, double uniform, const std::vector<Shape>&) {
    return operand == mask ? (uniform > 0 ? 1.0 : 0.0) : uniform;
  };
  return op;
}

/// All but the first of dim 1.
inline Op slice(const OpRule& rule) {
  Op op{"slice", rule, [](const Fields& x, Field& y) {
          for_each_index(y.shape, [&](const Index& i) { y[i] = x[0](i[0], i[1] + 1); });
        }};
  op.result = [](const std::vector<Shape>& x) { return Shape{x[0][0], x[0][1] - 1}; };
  return op;
}

inline Op concatenate(const OpRule& rule) {
  Op op{"concatenate", rule, [](const Fields& x, Field& y) {
          for_each_index(y.shape, [&](const Index& i) {
            std::size_t of = 0;
            std::int64_t j = i[1];
            while (j >= x[of].shape[1]) j -= x[of++].shape[1];
            y[i] = x[of](i[0], j);
          });
        }};
  op.result = [](const std::vector<Shape>& x) {
    Shape joined{x[0][0], 0};
    for (const Shape& shape : x) joined[1] += shape[1];
    return joined;
  };
  return op;
}

/// One operand of three dims, to be read in other dims: the elements stay in their order. Its rule says no more
/// than which factors there are.
inline Op reread(std::string name, int result_ndim) {
  OpRule rule;
  rule.operands = 1;
  rule.ndim[0] = 3;
  rule.result_ndim = result_ndim;
  for (signed char d = 0; d < 4; ++d) {
    if (d < 3) rule.factor[0][d] = d;
    rule.result[d] = d;
  }
  return {std::move(name), rule, [](const Fields& x, Field& y) { y.data = x[0].data; }};
}

/// The result's dim with a Ragged operand's pieces, `numerator` / `denominator` times as long.
inline Shape with_pieces_of(Shape y, const Shape& x, int from, int to, std::int64_t numerator,
                            std::int64_t denominator) {
  std::vector<std::int64_t> sizes;
  std::int64_t sum = 0;
  for (const std::int64_t size : x.pieces(from)) sum += sizes.emplace_back(size * numerator / denominator);
  return !sizes.empty() && sum == y[to] ? y.with_pieces(to, std::move(sizes)) : y;
}

}  // namespace validator
