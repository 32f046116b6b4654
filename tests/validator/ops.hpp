// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <tpx/tpx.hpp>

#include "validator/op.hpp"

/// The ops of the library as loops.
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
    return values[static_cast<std::size_t>(std::find(factors.begin(), factors.end(), factor) - factors.begin())];
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

/// Lines of a tensor along a dim: f(first index, extent).
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

/// Causal attention of query heads; head_of says which key head a query head, counted globally, reads.
template <class At>
void attend(const Fields& x, std::int64_t batch, std::int64_t queries, std::int64_t keys, std::int64_t width, At at) {
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t s = 0; s < queries; ++s) {
      std::vector<Number> weight(static_cast<std::size_t>(std::min(keys, s + 1)));
      Number total;
      for (std::size_t t = 0; t < weight.size(); ++t) {
        Number dot;
        for (std::int64_t d = 0; d < width; ++d) dot = dot + at.query(x, b, s, d) * at.key(x[1], b, t, d);
        total = total + (weight[t] = exp(dot));
      }
      for (std::int64_t d = 0; d < width; ++d) {
        Number sum;
        for (std::size_t t = 0; t < weight.size(); ++t) sum = sum + weight[t] / total * at.key(x[2], b, t, d);
        at.result(b, s, d) = sum;
      }
    }
  }
}

inline Op attention() {
  return {"attention", tpx::ops::attention<>::rule, [](const Fields& x, Field& y) {
            for (std::int64_t h = 0; h < x[0].shape[2]; ++h) {
              struct {
                std::int64_t h;
                Field& y;
                Number query(const Fields& f, std::int64_t b, std::int64_t s, std::int64_t d) { return f[0](b, s, h, d); }
                Number key(const Field& f, std::int64_t b, std::size_t t, std::int64_t d) { return f(b, t, h, d); }
                Number& result(std::int64_t b, std::int64_t s, std::int64_t d) { return y(b, s, h, d); }
              } at{h, y};
              attend(x, x[0].shape[0], x[0].shape[1], x[1].shape[1], x[0].shape[3], at);
            }
          }};
}

inline Op grouped_attention() {
  return {"grouped_attention", tpx::ops::grouped_attention<>::rule, [](const Fields& x, Field& y) {
            for (std::int64_t g = 0; g < x[0].shape[2]; ++g) {
              for (std::int64_t r = 0; r < x[0].shape[3]; ++r) {
                struct {
                  std::int64_t g, r;
                  Field& y;
                  Number query(const Fields& f, std::int64_t b, std::int64_t s, std::int64_t d) {
                    return f[0](b, s, g, r, d);
                  }
                  Number key(const Field& f, std::int64_t b, std::size_t t, std::int64_t d) { return f(b, t, g, d); }
                  Number& result(std::int64_t b, std::int64_t s, std::int64_t d) { return y(b, s, g, r, d); }
                } at{g, r, y};
                attend(x, x[0].shape[0], x[0].shape[1], x[1].shape[1], x[0].shape[4], at);
              }
            }
          }};
}

/// All key heads are on every rank: which one a query head reads is told by its global number.
inline Op shared_attention() {
  Op op{"shared_attention", tpx::ops::shared_attention<>::rule, [](const Fields& x, Field& y) {
          for (std::int64_t h = 0; h < x[0].shape[2]; ++h) {
            struct {
              std::int64_t h, g;
              Field& y;
              Number query(const Fields& f, std::int64_t b, std::int64_t s, std::int64_t d) { return f[0](b, s, h, d); }
              Number key(const Field& f, std::int64_t b, std::size_t t, std::int64_t d) { return f(b, t, g, d); }
              Number& result(std::int64_t b, std::int64_t s, std::int64_t d) { return y(b, s, h, d); }
            } at{h, (h + x[0].first[2]) % x[1].shape[2], y};
            attend(x, x[0].shape[0], x[0].shape[1], x[1].shape[1], x[0].shape[3], at);
          }
        }};
  return op;
}

/// The sum over rows of log(sum exp) minus the target's logit.
inline Op cross_entropy() {
  Op op{"cross_entropy", tpx::ops::cross_entropy<2>::rule, [](const Fields& x, Field& y) {
          Number loss;
          for (std::int64_t i = 0; i < x[0].shape[0]; ++i) {
            Number total;
            for (std::int64_t j = 0; j < x[0].shape[1]; ++j) total = total + exp(x[0](i, j));
            loss = loss + log(total) - x[0](i, std::llround(x[1](i).value));
          }
          y.data[0] = loss;
        }};
  op.without_gradient = 0b10;
  op.over = true;
  op.value = [](std::size_t operand, double uniform, const std::vector<Shape>& x) {
    return operand == 0 ? uniform : std::floor((uniform + 1) / 2 * static_cast<double>(x[0][1]));
  };
  return op;
}

inline Op embedding() {
  Op op{"embedding", tpx::ops::embedding<1>::rule, [](const Fields& x, Field& y) {
          for (std::int64_t i = 0; i < x[0].shape[0]; ++i) {
            const std::int64_t row = std::llround(x[0](i).value) - x[1].first[0];
            for (std::int64_t j = 0; row >= 0 && row < x[1].shape[0] && j < x[1].shape[1]; ++j)
              y(i, j) = x[1](row, j);
          }
        }};
  op.without_gradient = 0b01;
  op.value = [](std::size_t operand, double uniform, const std::vector<Shape>& x) {
    return operand == 1 ? uniform : std::floor((uniform + 1) / 2 * static_cast<double>(x[1][0]));
  };
  return op;
}

/// Drawn by the place in the whole tensor.
inline Op dropout() {
  return {"dropout", tpx::ops::dropout<2>::rule, [](const Fields& x, Field& y) {
            for_each_index(y.shape, [&](const Index& i) {
              const std::int64_t place = (i[0] + x[0].first[0]) * 31 + i[1] + x[0].first[1];
              y[i] = x[0][i] * (place % 3 == 0 ? 0.0 : 1.5);
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

inline Op slice() {
  Op op{"slice", tpx::ops::slice<2, 1>::rule, [](const Fields& x, Field& y) {
          for_each_index(y.shape, [&](const Index& i) { y[i] = x[0](i[0], i[1] + 1); });
        }};
  op.result = [](const std::vector<Shape>& x) { return Shape{x[0][0], x[0][1] - 1}; };
  return op;
}

inline Op concatenate() {
  Op op{"concatenate", tpx::ops::concatenate<2, 1>::rule, [](const Fields& x, Field& y) {
          for_each_index(y.shape, [&](const Index& i) {
            const std::int64_t n = x[0].shape[1];
            y[i] = i[1] < n ? x[0](i[0], i[1]) : x[1](i[0], i[1] - n);
          });
        }};
  op.result = [](const std::vector<Shape>& x) { return Shape{x[0][0], x[0][1] + x[1][1]}; };
  return op;
}

// Functors by what they are called: the rule asks for no more.
struct linear {
  static constexpr tpx::Linearity linearity = tpx::Linearity::product;
};
struct sums {
  static constexpr tpx::Linearity linearity = tpx::Linearity::sum;
};
struct bends {};

/// The largest or smallest along the last dim; of no elements an infinity, which no other term exceeds.
inline Op extreme(std::string name, const OpRule& rule, bool largest) {
  return {std::move(name), rule, [largest](const Fields& x, Field& y) {
            for_each_index(y.shape, [&](const Index& i) {
              constexpr double infinity = std::numeric_limits<double>::infinity();
              Number best = largest ? -infinity : infinity;
              for (std::int64_t j = 0; j < x[0].shape[1]; ++j)
                best = largest ? larger(best, x[0](i[0], j)) : smaller(best, x[0](i[0], j));
              y[i] = best;
            });
          }};
}

inline Op euclidean_norm() {
  return {"norm", tpx::ops::norm<2, 1>::rule, [](const Fields& x, Field& y) {
            for_each_index(y.shape, [&](const Index& i) {
              Number square;
              for (std::int64_t j = 0; j < x[0].shape[1]; ++j) square = square + x[0](i[0], j) * x[0](i[0], j);
              y[i] = sqrt(square);
            });
          }};
}

/// Operand 1 has numbers of rows below `rows`.
inline Op with_indices(Op op, std::function<std::int64_t(const std::vector<Shape>&)> rows) {
  op.without_gradient = 0b10;
  op.value = [rows = std::move(rows)](std::size_t operand, double uniform, const std::vector<Shape>& x) {
    return operand == 0 ? uniform : std::floor((uniform + 1) / 2 * static_cast<double>(rows(x)));
  };
  return op;
}

inline Op index_select() {
  return with_indices({"index_select", tpx::ops::index_select<2, 0, 1>::rule,
                       [](const Fields& x, Field& y) {
                         for_each_index(y.shape, [&](const Index& i) {
                           const std::int64_t row = std::llround(x[1](i[0]).value) - x[0].first[0];
                           if (row >= 0 && row < x[0].shape[0]) y[i] = x[0](row, i[1]);
                         });
                       }},
                      [](const std::vector<Shape>& x) { return x[0][0]; });
}

inline Op index_add() {
  constexpr std::int64_t rows = 4;
  Op op = with_indices({"index_add", tpx::ops::index_add<2, 0, 1>::rule,
                        [](const Fields& x, Field& y) {
                          for_each_index(x[0].shape, [&](const Index& i) {
                            Number& sum = y(std::llround(x[1](i[0]).value), i[1]);
                            sum = sum + x[0][i];
                          });
                        }},
                       [](const std::vector<Shape>&) { return rows; });
  op.result = [](const std::vector<Shape>& x) { return Shape{rows, x[0][1]}; };
  return op;
}

/// Pairs of columns turned by the position.
inline Op rotary() {
  return with_indices({"rotary", tpx::ops::rotary<4>::rule,
                       [](const Fields& x, Field& y) {
                         for_each_index(y.shape, [&](const Index& i) {
                           const double angle = x[1](i[0], i[1]).value;
                           const std::int64_t other = i[3] == 0 ? 1 : 0;
                           if (i[3] == 2) return void(y[i] = x[0][i]);
                           y[i] = x[0][i] * std::cos(angle) +
                                  x[0](i[0], i[1], i[2], other) * (other == 0 ? std::sin(angle) : -std::sin(angle));
                         });
                       }},
                      [](const std::vector<Shape>&) { return std::int64_t{9}; });
}

inline Op mean_pool() {
  return with_indices({"mean_pool", tpx::ops::mean_pool::rule,
                       [](const Fields& x, Field& y) {
                         for_each_index(y.shape, [&](const Index& i) {
                           const std::int64_t n = std::llround(x[1](i[0]).value) + 1;
                           for (std::int64_t s = 0; s < n; ++s) y[i] = y[i] + x[0](i[0], s, i[1]) / static_cast<double>(n);
                         });
                       }},
                      [](const std::vector<Shape>& x) { return x[0][1]; });
}

inline Op select_position() {
  return with_indices({"select_position", tpx::ops::select_position<3>::rule,
                       [](const Fields& x, Field& y) {
                         for_each_index(y.shape,
                                        [&](const Index& i) { y[i] = x[0](i[0], std::llround(x[1](i[0]).value), i[1]); });
                       }},
                      [](const std::vector<Shape>& x) { return x[0][1]; });
}

struct Scores {
  static constexpr auto text = "b s d, b t d -> b s t";
};

inline std::vector<Op> all_ops() {
  using namespace tpx::ops;
  const auto two = [](std::size_t last) {
    return [last](const std::vector<Number>& v) { return v[0] * sin(v[last]); };
  };
  const auto total = [](const std::vector<Number>& v) {
    Number sum = v[0];
    for (std::size_t i = 1; i < v.size(); ++i) sum = sum + v[i];
    return sum;
  };
  std::vector<Op> ops{
      product("matmul", matmul<2, 2, 1>::rule),
      product("matmul of three dims", matmul<3, 2, 1>::rule),
      product("matmul<2>", matmul<3, 3, 2>::rule),
      product("matmul_transposed", matmul_transposed<2>::rule),
      product("scale", elementwise<linear, 2>::rule),
      product("multiply", elementwise_of_two<linear, 2, 2>::rule),
      product("multiply by a row", elementwise_of_two<linear, 2, 1>::rule),
      pointwise("subtract", elementwise_of_two<sums, 2, 2>::rule,
                [](const std::vector<Number>& v) { return v[0] - v[1]; }),
      pointwise("add", add<2, 2>::rule, total),
      pointwise("add a bias", add<3, 1>::rule, total),
      pointwise("elementwise", elementwise<bends, 2>::rule,
                [](const std::vector<Number>& v) { return sin(v[0]) + v[0] * v[0]; }),
      pointwise("elementwise of two", elementwise_of_two<bends, 2, 2>::rule, two(1)),
      product("sum of all", sum<2>::rule),
      product("sum of the first dim", sum<2, 0>::rule),
      product("sum of two dims", sum<3, 0, 2>::rule),
      pointwise("mean_squared_error", mean_squared_error<2>::rule,
                [](const std::vector<Number>& v) { return (v[0] - v[1]) * (v[0] - v[1]) * 0.01; }),
      product("transpose", transpose<1, 0>::rule),
      product("transpose of three dims", transpose<2, 0, 1>::rule),
      softmax("softmax", tpx::ops::softmax<2, 1>::rule, 1, false),
      softmax("softmax of the first dim", tpx::ops::softmax<2, 0>::rule, 0, false),
      softmax("log_sum_exp", log_sum_exp<2, 1>::rule, 1, true),
      norm("layer_norm", layer_norm<2>::rule, true),
      norm("rms_norm", rms_norm<2>::rule, false),
      cross_entropy(),
      embedding(),
      dropout(),
      masked("where", where<2, 2>::rule, 0, false),
      masked("where, mask of a row", where<2, 1>::rule, 0, false),
      masked("masked_fill", masked_fill<2, 1>::rule, 1, true),
      slice(),
      concatenate(),
      product("einsum", einsum<Scores, 3, 3>::rule),
      extreme("max", max<2, 1>::rule, true),
      extreme("min", min<2, 1>::rule, false),
      euclidean_norm(),
      index_select(),
      index_add(),
      rotary(),
      mean_pool(),
      select_position(),
      attention(),
      grouped_attention(),
      shared_attention()};
  return ops;
}

}  // namespace validator
