// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rule against the meaning of the states. For every combination of layouts, each rank's data are made
// from the definition of the states, the op and its gradient run on every rank by itself, and the result is
// read in every layout there is. A reading is *right* when the ranks hold the value of the op on the whole
// data, and when from a gradient in the dual of that reading the ranks get the true gradient of each
// operand, in the dual of the operand's layout.
//
//   the rule fits      <=>  there is a right reading; it is the only one, and the rule's
//   the rule refuses   <=>  no reading is right

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tpx/layout/print.hpp>
#include <tpx/layout/rule.hpp>

#include "simulate.hpp"

namespace {

using simulate::Locals;
using simulate::Random;
using simulate::Tensor;
using Tensors = std::vector<Tensor>;

struct Op {
  std::string name;
  tpx::OpRule rule;
  std::vector<tpx::Shape> shape;  ///< of the operands
  tpx::Shape result;
  std::function<bool(const Tensors&)> runs;  ///< whether local data of these extents can be computed with
  std::function<Tensor(const Tensors&)> forward;
  std::function<Tensors(const Tensors&, const Tensor& gradient)> backward;
  unsigned without_gradient = 0;  ///< a bit for each operand that carries none
  unsigned over = 0;              ///< axes along which the op itself communicates, as if dim 1 were whole
  bool linear_in_part = false;    ///< called nonlinear, and linear in one operand all the same
  bool sums_parts = false;        ///< a sum over a split dim is a term; the rule takes P beside P alone
};

/// The op on every rank by itself; nothing where the extents do not go together.
struct Run {
  std::vector<Tensors> operands;  ///< of each rank
  std::optional<Locals> result;
};

/// What the ranks along `over` hold, side by side; `mine` is the first column of this rank's.
struct Joined {
  Tensor whole;
  std::int64_t mine = 0;
};

Joined join_columns(const Locals& x, std::size_t rank, unsigned over, const tpx::Grid& grid) {
  const tpx::Grid here = domain::seen_from(grid, static_cast<int>(rank));
  const unsigned others = ((1u << grid.axes) - 1) & ~over;
  const tpx::Shape local = x[rank].shape;
  Joined out{Tensor({local[0], local[1] * grid.ranks(over)})};
  std::int64_t at = 0;
  for (std::size_t peer = 0; peer < x.size(); ++peer) {
    if (!simulate::same_place(here, domain::seen_from(grid, static_cast<int>(peer)), others)) continue;
    if (peer == rank) out.mine = at;
    for (std::int64_t i = 0; i < local[0]; ++i)
      for (std::int64_t j = 0; j < local[1]; ++j) out.whole(i, at + j) = x[peer](i, j);
    at += local[1];
  }
  return out;
}

Tensor columns(const Tensor& x, std::int64_t first, std::int64_t count) {
  Tensor y({x.shape[0], count});
  for (std::int64_t i = 0; i < x.shape[0]; ++i)
    for (std::int64_t j = 0; j < count; ++j) y(i, j) = x(i, first + j);
  return y;
}

Tensor forward_on(const Op& op, const std::vector<Tensors>& ranks, std::size_t rank, const tpx::Grid& grid) {
  if (op.over == 0) return op.forward(ranks[rank]);
  Locals x;
  for (const Tensors& operands : ranks) x.push_back(operands[0]);
  const Joined joined = join_columns(x, rank, op.over, grid);
  const Tensor y = op.forward({joined.whole});
  return op.result.ndim() < 2 ? y : columns(y, joined.mine, x[rank].shape[1]);
}

Tensors backward_on(const Op& op, const std::vector<Tensors>& ranks, const Locals& gradient, std::size_t rank,
                    const tpx::Grid& grid) {
  if (op.over == 0) return op.backward(ranks[rank], gradient[rank]);
  Locals x;
  for (const Tensors& operands : ranks) x.push_back(operands[0]);
  const Joined joined = join_columns(x, rank, op.over, grid);
  const Tensors dx =
      op.backward({joined.whole},
                  op.result.ndim() < 2 ? gradient[rank] : join_columns(gradient, rank, op.over, grid).whole);
  return {columns(dx[0], joined.mine, x[rank].shape[1])};
}

Run run(const Op& op, const std::vector<tpx::Spec>& specs, const Tensors& whole, const tpx::Grid& grid,
        Random& random) {
  std::vector<Locals> scattered;
  for (std::size_t i = 0; i < whole.size(); ++i)
    scattered.push_back(simulate::scatter(whole[i], specs[i], grid, random));
  Run out;
  for (std::size_t r = 0; r < static_cast<std::size_t>(domain::ranks(grid)); ++r) {
    Tensors mine;
    for (const Locals& operand : scattered) mine.push_back(operand[r]);
    if (!op.runs(mine)) return out;
    out.operands.push_back(std::move(mine));
  }
  Locals result;
  for (std::size_t r = 0; r < out.operands.size(); ++r) result.push_back(forward_on(op, out.operands, r, grid));
  out.result = std::move(result);
  return out;
}

bool value_is_right(const Op& op, const Run& ranks, tpx::Spec reading, const Tensors& whole,
                    const tpx::Grid& grid) {
  const auto value = simulate::gather(*ranks.result, op.result, reading, grid);
  return value && simulate::near(*value, op.forward(whole));
}

bool gradient_is_right(const Op& op, const std::vector<tpx::Spec>& specs, const Run& ranks, tpx::Spec reading,
                       const Tensors& whole, const tpx::Grid& grid, Random& random) {
  const Tensor gradient = simulate::random_tensor(op.result, random);
  const Tensors expected = op.backward(whole, gradient);
  const Locals scattered = simulate::scatter(gradient, tpx::dual(reading), grid, random);
  std::vector<Locals> back(whole.size());
  for (std::size_t r = 0; r < scattered.size(); ++r) {
    const Tensors mine = backward_on(op, ranks.operands, scattered, r, grid);
    for (std::size_t i = 0; i < mine.size(); ++i) back[i].push_back(mine[i]);
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (op.without_gradient >> i & 1u) continue;
    const auto value = simulate::gather(back[i], op.shape[i], tpx::dual(specs[i]), grid);
    if (!value || !simulate::near(*value, expected[i])) return false;
  }
  return true;
}

tpx::Verdict judge(const Op& op, const std::vector<tpx::Spec>& specs, int axes) {
  std::vector<tpx::Operand> operands;
  for (std::size_t i = 0; i < specs.size(); ++i)
    operands.push_back({specs[i], (op.without_gradient >> i & 1u) == 0});
  return tpx::apply(op.rule, operands.data(), axes, op.over);
}

struct Tally {
  int combinations = 0, fits = 0, values_right_but_gradients_wrong = 0;
};

/// Checks one combination.
void check(const Op& op, const std::vector<tpx::Spec>& specs, const tpx::Grid& grid, Random& random,
           Tally& tally) {
  static constexpr std::array<std::string_view, 2> names{"a", "b"};
  const std::span<const std::string_view> axes(names.data(), static_cast<std::size_t>(grid.axes));
  std::string text = op.name;
  Tensors whole;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    whole.push_back(simulate::random_tensor(op.shape[i], random));
    text += ' ' + tpx::print("f64", op.shape[i], specs[i], axes);
  }
  CAPTURE(text);
  const tpx::Verdict verdict = judge(op, specs, grid.axes);
  CAPTURE(static_cast<int>(verdict.why));
  const Run ranks = run(op, specs, whole, grid, random);
  ++tally.combinations;

  int right = 0;
  bool rule_is_right = false, value_alone = false;
  if (ranks.result) {
    domain::for_each_spec(grid.axes, op.result.ndim(), [&](tpx::Spec reading) {
      if (!value_is_right(op, ranks, reading, whole, grid)) return;
      value_alone = true;
      if (!gradient_is_right(op, specs, ranks, reading, whole, grid, random)) return;
      ++right;
      rule_is_right = rule_is_right || reading == verdict.result;
    });
  }
  if (verdict.why == tpx::Why::fits) {
    ++tally.fits;
    CHECK(rule_is_right);
    CHECK(right == 1);
  } else if (verdict.why == tpx::Why::over_axis_not_sharded) {
    // Refused for what the program says: an op that communicates over equal copies may come out right.
  } else if (!(op.linear_in_part &&
               (verdict.why == tpx::Why::partial_in_nonlinear || verdict.why == tpx::Why::partial_values)) &&
             !(op.sums_parts && verdict.why == tpx::Why::partial_plus_other)) {
    CHECK(right == 0);
    // Only where I meets another state are the values right and the gradients alone wrong.
    if (value_alone) {
      CHECK(verdict.why == tpx::Why::invariant_mixed);
      ++tally.values_right_but_gradients_wrong;
    }
  }
}

/// Checks every combination of layouts of the operands.
Tally check_all(const Op& op, const tpx::Grid& grid) {
  Random random(17);
  Tally tally;
  std::vector<tpx::Spec> specs;
  const std::function<void()> next = [&] {
    if (specs.size() == op.shape.size()) return check(op, specs, grid, random, tally);
    domain::for_each_spec(grid.axes, op.shape[specs.size()].ndim(), [&](tpx::Spec spec) {
      specs.push_back(spec);
      next();
      specs.pop_back();
    });
  };
  next();
  return tally;
}

// ---- the ops ----------------------------------------------------------------------------------

// Every extent splits over both axes, and no piece of one has the extent of another's.
constexpr std::int64_t b = 4, k = 12, n = 20;

bool same_shape(const Tensors& x) { return x[0].shape == x[1].shape; }
bool always(const Tensors&) { return true; }

Op matmul() {
  return {"matmul",
          tpx::op_rule("b k, k n -> b n", tpx::Linearity::product, {2, 2}),
          {{b, k}, {k, n}},
          {b, n},
          [](const Tensors& x) { return x[0].shape[1] == x[1].shape[0]; },
          [](const Tensors& x) {
            Tensor y({x[0].shape[0], x[1].shape[1]});
            for (std::int64_t i = 0; i < y.shape[0]; ++i)
              for (std::int64_t j = 0; j < y.shape[1]; ++j)
                for (std::int64_t p = 0; p < x[0].shape[1]; ++p) y(i, j) += x[0](i, p) * x[1](p, j);
            return y;
          },
          [](const Tensors& x, const Tensor& dy) {
            Tensors dx{Tensor(x[0].shape), Tensor(x[1].shape)};
            for (std::int64_t i = 0; i < dy.shape[0]; ++i)
              for (std::int64_t j = 0; j < dy.shape[1]; ++j)
                for (std::int64_t p = 0; p < x[0].shape[1]; ++p) {
                  dx[0](i, p) += dy(i, j) * x[1](p, j);
                  dx[1](p, j) += dy(i, j) * x[0](i, p);
                }
            return dx;
          }};
}

Op add() {
  return {"add",
          tpx::op_rule("b n, b n -> b n", tpx::Linearity::sum, {2, 2}),
          {{b, n}, {b, n}},
          {b, n},
          same_shape,
          [](const Tensors& x) {
            Tensor y = x[0];
            for (std::int64_t i = 0; i < y.shape.count(); ++i) y[i] += x[1][i];
            return y;
          },
          [](const Tensors&, const Tensor& dy) {
            return Tensors{dy, dy};
          }};
}

Op bias() {
  return {"bias",
          tpx::op_rule("b n, n -> b n", tpx::Linearity::sum, {2, 1}),
          {{b, n}, {n}},
          {b, n},
          [](const Tensors& x) { return x[0].shape[1] == x[1].shape[0]; },
          [](const Tensors& x) {
            Tensor y = x[0];
            for (std::int64_t i = 0; i < y.shape[0]; ++i)
              for (std::int64_t j = 0; j < y.shape[1]; ++j) y(i, j) += x[1][j];
            return y;
          },
          [](const Tensors& x, const Tensor& dy) {
            Tensors dx{dy, Tensor(x[1].shape)};
            for (std::int64_t i = 0; i < dy.shape[0]; ++i)
              for (std::int64_t j = 0; j < dy.shape[1]; ++j) dx[1][j] += dy(i, j);
            return dx;
          }};
}

/// The sum of each row of x, and y: a rank that has a part of the row must not add all of y.
Op row_sums() {
  Op op{"row_sums",
        tpx::op_rule("b n, b -> b", tpx::Linearity::sum, {2, 1}),
        {{b, n}, {b}},
        {b},
        [](const Tensors& x) { return x[0].shape[0] == x[1].shape[0]; },
        [](const Tensors& x) {
          Tensor y = x[1];
          for (std::int64_t i = 0; i < x[0].shape[0]; ++i)
            for (std::int64_t j = 0; j < x[0].shape[1]; ++j) y[i] += x[0](i, j);
          return y;
        },
        [](const Tensors& x, const Tensor& dy) {
          Tensors dx{Tensor(x[0].shape), dy};
          for (std::int64_t i = 0; i < x[0].shape[0]; ++i)
            for (std::int64_t j = 0; j < x[0].shape[1]; ++j) dx[0](i, j) = dy[i];
          return dx;
        }};
  op.sums_parts = true;
  return op;
}

Op multiply() {
  return {"multiply",
          tpx::op_rule("b n, b n -> b n", tpx::Linearity::product, {2, 2}),
          {{b, n}, {b, n}},
          {b, n},
          same_shape,
          [](const Tensors& x) {
            Tensor y = x[0];
            for (std::int64_t i = 0; i < y.shape.count(); ++i) y[i] *= x[1][i];
            return y;
          },
          [](const Tensors& x, const Tensor& dy) {
            Tensors dx{dy, dy};
            for (std::int64_t i = 0; i < dy.shape.count(); ++i) {
              dx[0][i] *= x[1][i];
              dx[1][i] *= x[0][i];
            }
            return dx;
          }};
}

Op mask() {
  Op op = multiply();
  op.name = "mask";
  op.without_gradient = 0b10;
  op.linear_in_part = true;  // a mask of terms would do, but no op has one
  return op;
}

Op scale() {
  return {"scale",
          tpx::op_rule("b n -> b n", tpx::Linearity::product, {2}),
          {{b, n}},
          {b, n},
          always,
          [](const Tensors& x) {
            Tensor y = x[0];
            for (double& v : y.data) v *= -2.5;
            return y;
          },
          [](const Tensors&, const Tensor& dy) {
            Tensor dx = dy;
            for (double& v : dx.data) v *= -2.5;
            return Tensors{dx};
          }};
}

Op transpose() {
  return {"transpose",
          tpx::op_rule("b n -> n b", tpx::Linearity::product, {2}),
          {{b, n}},
          {n, b},
          always,
          [](const Tensors& x) {
            Tensor y({x[0].shape[1], x[0].shape[0]});
            for (std::int64_t i = 0; i < y.shape[0]; ++i)
              for (std::int64_t j = 0; j < y.shape[1]; ++j) y(i, j) = x[0](j, i);
            return y;
          },
          [](const Tensors& x, const Tensor& dy) {
            Tensor dx(x[0].shape);
            for (std::int64_t i = 0; i < dx.shape[0]; ++i)
              for (std::int64_t j = 0; j < dx.shape[1]; ++j) dx(i, j) = dy(j, i);
            return Tensors{dx};
          }};
}

/// sin(x) + x^2: not linear anywhere.
Op pointwise() {
  return {"pointwise",
          tpx::op_rule("... -> ...", tpx::Linearity::nonlinear, {2}),
          {{b, n}},
          {b, n},
          always,
          [](const Tensors& x) {
            Tensor y = x[0];
            for (double& v : y.data) v = std::sin(v) + v * v;
            return y;
          },
          [](const Tensors& x, const Tensor& dy) {
            Tensor dx = dy;
            for (std::int64_t i = 0; i < dx.shape.count(); ++i) dx[i] *= std::cos(x[0][i]) + 2.0 * x[0][i];
            return Tensors{dx};
          }};
}

/// The sum of squares of each row: nonlinear in the elements, a sum over the contracted dim.
Op squares() {
  return {"squares",
          tpx::op_rule("b k -> b", tpx::Linearity::nonlinear, {2}),
          {{b, k}},
          {b},
          always,
          [](const Tensors& x) {
            Tensor y({x[0].shape[0]});
            for (std::int64_t i = 0; i < x[0].shape[0]; ++i)
              for (std::int64_t p = 0; p < x[0].shape[1]; ++p) y[i] += x[0](i, p) * x[0](i, p);
            return y;
          },
          [](const Tensors& x, const Tensor& dy) {
            Tensor dx = x[0];
            for (std::int64_t i = 0; i < dx.shape[0]; ++i)
              for (std::int64_t p = 0; p < dx.shape[1]; ++p) dx(i, p) *= 2.0 * dy[i];
            return Tensors{dx};
          }};
}

Op softmax() {
  const auto forward = [](const Tensors& x) {
    Tensor y = x[0];
    for (std::int64_t i = 0; i < y.shape[0]; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < y.shape[1]; ++j) sum += y(i, j) = std::exp(y(i, j));
      for (std::int64_t j = 0; j < y.shape[1]; ++j) y(i, j) /= sum;
    }
    return y;
  };
  return {"softmax",
          tpx::op_rule("b n -> b n", tpx::Linearity::nonlinear, {2}, "n"),
          {{b, n}},
          {b, n},
          always,
          forward,
          [forward](const Tensors& x, const Tensor& dy) {
            const Tensor y = forward(x);
            Tensor dx = dy;
            for (std::int64_t i = 0; i < y.shape[0]; ++i) {
              double mean = 0;
              for (std::int64_t j = 0; j < y.shape[1]; ++j) mean += y(i, j) * dy(i, j);
              for (std::int64_t j = 0; j < y.shape[1]; ++j) dx(i, j) = y(i, j) * (dy(i, j) - mean);
            }
            return Tensors{dx};
          }};
}

/// log(sum(exp(x))) of each row.
Op log_sum_exp() {
  const auto row = [](const Tensor& x, std::int64_t i) {
    double sum = 0;
    for (std::int64_t j = 0; j < x.shape[1]; ++j) sum += std::exp(x(i, j));
    return sum;
  };
  return {"log_sum_exp",
          tpx::op_rule("b n -> b", tpx::Linearity::nonlinear, {2}, "n"),
          {{b, n}},
          {b},
          always,
          [row](const Tensors& x) {
            Tensor y({x[0].shape[0]});
            for (std::int64_t i = 0; i < x[0].shape[0]; ++i) y[i] = std::log(row(x[0], i));
            return y;
          },
          [row](const Tensors& x, const Tensor& dy) {
            Tensor dx = x[0];
            for (std::int64_t i = 0; i < dx.shape[0]; ++i)
              for (std::int64_t j = 0; j < dx.shape[1]; ++j)
                dx(i, j) = dy[i] * std::exp(x[0](i, j)) / row(x[0], i);
            return Tensors{dx};
          }};
}

Op over_first_axis(Op op) {
  op.name += "<over a>";
  op.over = 0b1;
  return op;
}

/// softmax(q k^T) v for each head: t is needed whole; linear in v, which the rule's words do not say.
Op attention() {
  constexpr std::int64_t h = 2, s = 4, t = 6, d = 8, e = 10;
  const auto at = [](const Tensor& x, std::int64_t i, std::int64_t j, std::int64_t p) {
    return (i * x.shape[1] + j) * x.shape[2] + p;
  };
  const auto weights = [at](const Tensors& x, std::int64_t i, std::int64_t j) {
    std::vector<double> w(static_cast<std::size_t>(x[1].shape[1]));
    double sum = 0;
    for (std::size_t l = 0; l < w.size(); ++l) {
      const std::int64_t key = static_cast<std::int64_t>(l);
      for (std::int64_t p = 0; p < x[0].shape[2]; ++p)
        w[l] += x[0][at(x[0], i, j, p)] * x[1][at(x[1], i, key, p)];
      sum += w[l] = std::exp(w[l]);
    }
    for (double& v : w) v /= sum;
    return w;
  };
  return {"attention",
          tpx::op_rule("h s d, h t d, h t e -> h s e", tpx::Linearity::nonlinear, {3, 3, 3}, "t d"),
          {{h, s, d}, {h, t, d}, {h, t, e}},
          {h, s, e},
          [](const Tensors& x) {
            return x[0].shape[0] == x[1].shape[0] && x[1].shape[0] == x[2].shape[0] &&
                   x[0].shape[2] == x[1].shape[2] && x[1].shape[1] == x[2].shape[1];
          },
          [at, weights](const Tensors& x) {
            Tensor y({x[0].shape[0], x[0].shape[1], x[2].shape[2]});
            for (std::int64_t i = 0; i < y.shape[0]; ++i)
              for (std::int64_t j = 0; j < y.shape[1]; ++j) {
                const std::vector<double> w = weights(x, i, j);
                for (std::int64_t l = 0; l < x[1].shape[1]; ++l)
                  for (std::int64_t p = 0; p < y.shape[2]; ++p)
                    y[at(y, i, j, p)] += w[static_cast<std::size_t>(l)] * x[2][at(x[2], i, l, p)];
              }
            return y;
          },
          [at, weights](const Tensors& x, const Tensor& dy) {
            Tensors dx{Tensor(x[0].shape), Tensor(x[1].shape), Tensor(x[2].shape)};
            for (std::int64_t i = 0; i < dy.shape[0]; ++i)
              for (std::int64_t j = 0; j < dy.shape[1]; ++j) {
                const std::vector<double> w = weights(x, i, j);
                std::vector<double> dw(w.size(), 0.0);
                double mean = 0;
                for (std::size_t l = 0; l < w.size(); ++l) {
                  const std::int64_t key = static_cast<std::int64_t>(l);
                  for (std::int64_t p = 0; p < dy.shape[2]; ++p) {
                    dx[2][at(x[2], i, key, p)] += w[l] * dy[at(dy, i, j, p)];
                    dw[l] += dy[at(dy, i, j, p)] * x[2][at(x[2], i, key, p)];
                  }
                  mean += w[l] * dw[l];
                }
                for (std::size_t l = 0; l < w.size(); ++l) {
                  const std::int64_t key = static_cast<std::int64_t>(l);
                  for (std::int64_t p = 0; p < x[0].shape[2]; ++p) {
                    dx[0][at(x[0], i, j, p)] += w[l] * (dw[l] - mean) * x[1][at(x[1], i, key, p)];
                    dx[1][at(x[1], i, key, p)] += w[l] * (dw[l] - mean) * x[0][at(x[0], i, j, p)];
                  }
                }
              }
            return dx;
          },
          0,
          0,
          true};
}

void check_on_meshes(const Op& op, const std::vector<tpx::Grid>& grids, int fits_on_one_axis) {
  for (const tpx::Grid& grid : grids) {
    const Tally tally = check_all(op, grid);
    int expected = 1;
    for (std::size_t i = 0; i < op.shape.size(); ++i)
      expected *= domain::number_of_specs(grid.axes, op.shape[i].ndim());
    CHECK(tally.combinations == expected);
    if (grid.axes == 1) CHECK(tally.fits == fits_on_one_axis);
    // At least the pairs of what fits on one: the axes that split one dim have two orders besides.
    if (grid.axes == 2 && op.over == 0) CHECK(tally.fits >= fits_on_one_axis * fits_on_one_axis);
    if (op.shape.size() > 1 && op.without_gradient == 0) CHECK(tally.values_right_but_gradients_wrong > 0);
  }
}

const std::vector<tpx::Grid> one_axis{domain::grid(2)};
const std::vector<tpx::Grid> meshes{domain::grid(2), domain::grid(2, 2)};

}  // namespace

// The number beside each is that of the layouts it takes on one axis, counted by hand.
TEST_CASE("rule: matmul takes II RR SR(b) SS(k) RS(n) PR RP") { check_on_meshes(matmul(), meshes, 7); }
TEST_CASE("rule: add takes II RR PP SS(b) SS(n)") { check_on_meshes(add(), meshes, 5); }
TEST_CASE("rule: bias takes II RR PP SR(b) SS(n)") { check_on_meshes(bias(), meshes, 5); }
TEST_CASE("rule: the sums of rows and a column take II RR PP SS(b)") { check_on_meshes(row_sums(), meshes, 4); }
TEST_CASE("rule: an elementwise product takes II RR PR RP SS(b) SS(n)") {
  check_on_meshes(multiply(), meshes, 6);
}
TEST_CASE("rule: a mask takes IR RI PI besides and not RP, it carries no gradient") {
  check_on_meshes(mask(), meshes, 8);
}
TEST_CASE("rule: scale by a constant takes every layout") { check_on_meshes(scale(), meshes, 5); }
TEST_CASE("rule: transpose takes every layout") { check_on_meshes(transpose(), meshes, 5); }
TEST_CASE("rule: a nonlinear pointwise op takes I R S(b) S(n)") { check_on_meshes(pointwise(), meshes, 4); }
TEST_CASE("rule: a sum of squares takes I R S(b) S(k)") { check_on_meshes(squares(), meshes, 4); }
TEST_CASE("rule: softmax takes I R S(b)") { check_on_meshes(softmax(), meshes, 3); }
TEST_CASE("rule: log-sum-exp takes I R S(b)") { check_on_meshes(log_sum_exp(), meshes, 3); }
TEST_CASE("rule: attention takes III RRR SSS(h) SRR(s) RRS(e)") { check_on_meshes(attention(), one_axis, 5); }
TEST_CASE("rule: a reduction over the axis that splits its dim takes S(n) alone") {
  check_on_meshes(over_first_axis(log_sum_exp()), meshes, 1);
  check_on_meshes(over_first_axis(softmax()), meshes, 1);
}
