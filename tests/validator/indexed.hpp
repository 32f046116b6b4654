// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include <tpx/ops/attention.hpp>
#include <tpx/ops/cross_entropy.hpp>
#include <tpx/ops/decode.hpp>
#include <tpx/ops/embedding.hpp>
#include <tpx/ops/index.hpp>
#include <tpx/ops/mean_pool.hpp>
#include <tpx/ops/rotary.hpp>
#include <tpx/ops/sample.hpp>

#include "validator/loops.hpp"

/// Ops that are told by numbers what to read: ids, positions, lengths; and attention, which may be.
namespace validator {

/// Operand `which` has whole numbers, `least` and up, so many as `count` says.
inline Op with_numbers(Op op, std::size_t which, std::int64_t least,
                       std::function<std::int64_t(const std::vector<Shape>&)> count) {
  op.without_gradient |= 1u << which;
  op.value = [=](std::size_t operand, double uniform, const std::vector<Shape>& x) {
    if (operand != which) return uniform;
    return static_cast<double>(least) + std::floor((uniform + 1) / 2 * static_cast<double>(count(x)));
  };
  return op;
}
/// The extent of a dim of an operand.
inline auto extent_of(std::size_t operand, int dim) {
  return [=](const std::vector<Shape>& x) { return x[operand][dim]; };
}

/// Causal attention of heads: query(b, s) and key(b, t) are where their rows of features begin.
template <class Query, class Key>
void attend(const Fields& x, Field& y, Query query, Key key) {
  const int last = x[0].shape.ndim() - 1;
  const std::int64_t queries = x[0].shape[1], keys = x[1].shape[1], width = x[0].shape[last];
  for (std::int64_t b = 0; b < x[0].shape[0]; ++b) {
    for (std::int64_t s = 0; s < queries; ++s) {
      std::int64_t seen = s + 1 + keys - queries;
      if (x.size() > 3) seen = std::min<std::int64_t>(seen, std::llround(x[3](b).value));
      std::vector<Number> weight;
      Number total;
      for (std::int64_t t = 0; t < seen; ++t) {
        Number dot;
        for (std::int64_t d = 0; d < width; ++d)
          dot = dot + x[0][moved(query(b, s), last, d)] * x[1][moved(key(b, t), 3, d)];
        weight.push_back(exp(dot / std::sqrt(static_cast<double>(width))));
        total = total + weight.back();
      }
      for (std::int64_t d = 0; d < width; ++d) {
        Number sum;
        for (std::int64_t t = 0; t < seen; ++t)
          sum = sum + weight[static_cast<std::size_t>(t)] / total * x[2][moved(key(b, t), 3, d)];
        y[moved(query(b, s), last, d)] = sum;
      }
    }
  }
}

/// Operand 3, if there is one, has the lengths.
inline Op with_lengths(Op op) { return op.rule.operands > 3 ? with_numbers(op, 3, 1, extent_of(1, 1)) : op; }

inline Op attention(std::string name, const OpRule& rule) {
  const auto compute = [](const Fields& x, Field& y) {
    for (std::int64_t h = 0; h < x[0].shape[2]; ++h) {
      const auto at = [h](std::int64_t b, std::int64_t s) { return Index{b, s, h}; };
      attend(x, y, at, at);
    }
  };
  return with_lengths({std::move(name), rule, compute});
}

inline Op grouped_attention(std::string name, const OpRule& rule) {
  const auto compute = [](const Fields& x, Field& y) {
    for (std::int64_t g = 0; g < x[0].shape[2]; ++g) {
      for (std::int64_t r = 0; r < x[0].shape[3]; ++r) {
        const auto query = [=](std::int64_t b, std::int64_t s) { return Index{b, s, g, r}; };
        const auto key = [=](std::int64_t b, std::int64_t t) { return Index{b, t, g}; };
        attend(x, y, query, key);
      }
    }
  };
  return with_lengths({std::move(name), rule, compute});
}

/// All key heads are on every rank: which one a query head reads is told by its global number.
inline Op shared_attention(std::string name, const OpRule& rule) {
  const auto compute = [](const Fields& x, Field& y) {
    for (std::int64_t h = 0; h < x[0].shape[2]; ++h) {
      const std::int64_t g = (h + x[0].first[2]) * x[1].shape[2] / x[0].whole[2];
      const auto query = [=](std::int64_t b, std::int64_t s) { return Index{b, s, h}; };
      const auto key = [=](std::int64_t b, std::int64_t t) { return Index{b, t, g}; };
      attend(x, y, query, key);
    }
  };
  return with_lengths({std::move(name), rule, compute});
}

/// The mean over rows of log(sum exp) minus the target's logit.
template <int N>
Op cross_entropy(std::string name) {
  Op op{std::move(name), tpx::ops::cross_entropy<N>::rule, [](const Fields& x, Field& y) {
          Number loss;
          for_each_line(x[0].shape, N - 1, [&](const Index& i) {
            Number total;
            for (std::int64_t j = 0; j < x[0].shape[N - 1]; ++j) total = total + exp(x[0][moved(i, N - 1, j)]);
            loss = loss + log(total) - x[0][moved(i, N - 1, std::llround(x[1][i].value))];
          });
          y.data[0] = loss / static_cast<double>(x[1].whole.count());
        }};
  op.over = true;
  return with_numbers(op, 1, 0, extent_of(0, N - 1));
}

inline Op embedding() {
  return with_numbers({"embedding", tpx::ops::embedding<1>::rule,
                       [](const Fields& x, Field& y) {
                         for_each_index(y.shape, [&](const Index& i) {
                           const std::int64_t row = std::llround(x[0](i[0]).value) - x[1].first[0];
                           if (row >= 0 && row < x[1].shape[0]) y[i] = x[1](row, i[1]);
                         });
                       }},
                      0, 0, extent_of(1, 0));
}

inline Op index_select() {
  return with_numbers({"index_select", tpx::ops::index_select<2, 0, 1>::rule,
                       [](const Fields& x, Field& y) {
                         for_each_index(y.shape, [&](const Index& i) {
                           const std::int64_t row = std::llround(x[1](i[0]).value) - x[0].first[0];
                           if (row >= 0 && row < x[0].shape[0]) y[i] = x[0](row, i[1]);
                         });
                       }},
                      1, 0, extent_of(0, 0));
}

/// Into four rows.
inline Op index_add() {
  Op op = with_numbers({"index_add", tpx::ops::index_add<2, 0, 1>::rule,
                        [](const Fields& x, Field& y) {
                          for_each_index(x[0].shape, [&](const Index& i) {
                            Number& sum = y(std::llround(x[1](i[0]).value), i[1]);
                            sum = sum + x[0][i];
                          });
                        }},
                       1, 0, [](const std::vector<Shape>&) { return std::int64_t{4}; });
  op.result = [](const std::vector<Shape>& x) { return Shape{4, x[0][1]}; };
  return op;
}

/// The first two columns turned by the position.
inline Op rotary() {
  return with_numbers({"rotary", tpx::ops::rotary<4>::rule,
                       [](const Fields& x, Field& y) {
                         for_each_index(y.shape, [&](const Index& i) {
                           const double angle = x[1](i[0], i[1]).value;
                           const std::int64_t other = i[3] == 0 ? 1 : 0;
                           if (i[3] == 2) return void(y[i] = x[0][i]);
                           y[i] = x[0][i] * std::cos(angle) +
                                  x[0](i[0], i[1], i[2], other) *
                                      (other == 0 ? std::sin(angle) : -std::sin(angle));
                         });
                       }},
                      1, 0, [](const std::vector<Shape>&) { return std::int64_t{9}; });
}

/// Of length 1.
inline Op mean_pool() {
  return with_numbers({"mean_pool", tpx::ops::mean_pool::rule,
                       [](const Fields& x, Field& y) {
                         for (std::int64_t b = 0; b < x[0].shape[0]; ++b) {
                           Number square;
                           for (std::int64_t h = 0; h < x[0].shape[2]; ++h) {
                             for (std::int64_t s = 0; s < std::llround(x[1](b).value); ++s)
                               y(b, h) = y(b, h) + x[0](b, s, h);
                             square = square + y(b, h) * y(b, h);
                           }
                           for (std::int64_t h = 0; h < x[0].shape[2]; ++h) y(b, h) = y(b, h) / sqrt(square);
                         }
                       }},
                      1, 1, extent_of(0, 1));
}

inline Op select_position() {
  return with_numbers({"select_position", tpx::ops::select_position<3>::rule,
                       [](const Fields& x, Field& y) {
                         for_each_index(y.shape, [&](const Index& i) {
                           y[i] = x[0](i[0], std::llround(x[1](i[0]).value), i[1]);
                         });
                       }},
                      1, 0, extent_of(0, 1));
}

/// What the cache is afterwards; rows beyond it are left out.
inline Op store_positions() {
  return with_numbers({"store_positions", tpx::ops::store_positions<3>::rule,
                       [](const Fields& x, Field& y) {
                         y.data = x[0].data;
                         for_each_index(x[1].shape, [&](const Index& i) {
                           const std::int64_t at = std::llround(x[2](i[0]).value) + i[1];
                           if (at < y.shape[1]) y(i[0], at, i[2]) = x[1][i];
                         });
                       }},
                      2, 0, extent_of(0, 1));
}

/// The likeliest class.
inline Op sample() {
  Op op{"sample", tpx::ops::sample::rule, [](const Fields& x, Field& y) {
          for_each_index(y.shape, [&](const Index& i) {
            for (std::int64_t j = 1; j < x[0].shape[1]; ++j)
              if (x[0](i[0], j).value > x[0](i[0], std::llround(y[i].value)).value)
                y[i] = static_cast<double>(j);
          });
        }};
  op.over = true;
  return op;
}

}  // namespace validator
