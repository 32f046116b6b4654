// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a rule is read, and what a refusal says. That the rule is the right one: test_rule_oracle.cpp.

#include <array>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tpx/layout/print.hpp>
#include <tpx/layout/rule.hpp>

#include "specs.hpp"

namespace {

using tpx::AxisState;
using tpx::Kind;
using tpx::Linearity;
using tpx::op_rule;
using tpx::OpRule;
using tpx::Spec;
using tpx::Verdict;
using tpx::Why;

// ---- reading ----------------------------------------------------------------------------------

/// Whether two dims have the same factor; operand -1 is the result.
constexpr int factor(const OpRule& rule, int operand, int dim) {
  return operand < 0 ? rule.result[dim] : rule.factor[operand][dim];
}
constexpr bool same(const OpRule& rule, int i, int d, int j, int e) {
  return factor(rule, i, d) == factor(rule, j, e);
}

constexpr OpRule matmul = op_rule("b s k, k n -> b s n", Linearity::product, {3, 2});
static_assert(matmul.operands == 2 && matmul.ndim[0] == 3 && matmul.ndim[1] == 2 && matmul.result_ndim == 3);
static_assert(matmul.linearity == Linearity::product && matmul.whole == 0);
static_assert(same(matmul, 0, 2, 1, 0) && same(matmul, 0, 0, -1, 0) && same(matmul, 0, 1, -1, 1) &&
              same(matmul, 1, 1, -1, 2));
static_assert(!same(matmul, 0, 0, 0, 1) && !same(matmul, 0, 0, 1, 0) && !same(matmul, 0, 2, -1, 2));
static_assert(matmul.dim_of(0, factor(matmul, 1, 0)) == 2 && matmul.dim_of(1, factor(matmul, 0, 0)) == -1);
static_assert(matmul.result_dim_of(factor(matmul, 1, 0)) == -1 &&
              matmul.result_dim_of(factor(matmul, 1, 1)) == 2);

// Blanks do not matter; names may be long.
constexpr OpRule loose = op_rule("  batch   seq key ,key out->batch seq out", Linearity::product, {3, 2});

// `...` stands for the dims that are left, the same wherever it stands, also none.
constexpr OpRule linear = op_rule("... k, k n -> ... n", Linearity::product, {4, 2});
static_assert(linear.ndim[0] == 4 && linear.result_ndim == 4);
static_assert(same(linear, 0, 0, -1, 0) && same(linear, 0, 2, -1, 2) && same(linear, 0, 3, 1, 0) &&
              same(linear, 1, 1, -1, 3) && !same(linear, 0, 0, 0, 1) && !same(linear, 0, 2, 0, 3));
constexpr OpRule vector = op_rule("... k, k n -> ... n", Linearity::product, {1, 2});
static_assert(vector.ndim[0] == 1 && vector.result_ndim == 1 && same(vector, 0, 0, 1, 0) &&
              same(vector, 1, 1, -1, 0));
constexpr OpRule add = op_rule("..., ... -> ...", Linearity::sum, {3, 3});
static_assert(add.ndim[1] == 3 && add.result_ndim == 3 && same(add, 0, 1, 1, 1) && same(add, 1, 2, -1, 2) &&
              !same(add, 0, 0, 1, 1));
constexpr OpRule leading = op_rule("b ..., b -> b ...", Linearity::product, {3, 1});
static_assert(leading.result_ndim == 3 && same(leading, 0, 0, 1, 0) && same(leading, 0, 2, -1, 2));

// The factors that are needed whole.
constexpr OpRule softmax = op_rule("... n -> ... n", Linearity::nonlinear, {3}, "n");
static_assert((softmax.whole >> factor(softmax, 0, 2) & 1u) == 1 &&
              (softmax.whole >> factor(softmax, 0, 0) & 1u) == 0);
constexpr OpRule attention = op_rule("h s d, h t d, h t e -> h s e", Linearity::nonlinear, {3, 3, 3}, "t d");
static_assert((attention.whole >> factor(attention, 1, 1) & 1u) == 1 &&
              (attention.whole >> factor(attention, 0, 2) & 1u) == 1 &&
              (attention.whole >> factor(attention, 0, 1) & 1u) == 0 &&
              (attention.whole >> factor(attention, 2, 2) & 1u) == 0);

// A result without dims.
constexpr OpRule total = op_rule("b -> ", Linearity::product, {1});
static_assert(total.operands == 1 && total.result_ndim == 0 && total.ndim[0] == 1);

// ---- verdicts ---------------------------------------------------------------------------------

constexpr AxisState I{}, R{Kind::replicate, 0, 0}, P{Kind::partial, 0, 0};
constexpr AxisState S(int dim, int order = 0) { return {Kind::shard, dim, order}; }

constexpr Verdict on_one_axis(const OpRule& rule, std::initializer_list<AxisState> states,
                              unsigned no_gradient = 0, unsigned over = 0) {
  tpx::Operand operands[OpRule::max_operands]{};
  int i = 0;
  for (const AxisState s : states) {
    operands[i].spec = Spec{}.with(0, s);
    operands[i].carries_gradient = !(no_gradient >> i & 1u);
    ++i;
  }
  return tpx::apply(rule, operands, 1, over);
}
constexpr bool gives(const Verdict& v, AxisState state) { return v.why == Why::fits && v.result[0] == state; }
constexpr bool refuses(const Verdict& v, Why why, int operand, AxisState fix) {
  return v.why == why && v.axis == 0 && v.operand == operand && v.fix == fix;
}

constexpr OpRule mm = op_rule("b k, k n -> b n", Linearity::product, {2, 2});
constexpr OpRule sum = op_rule("b n, b n -> b n", Linearity::sum, {2, 2});
constexpr OpRule gelu = op_rule("... -> ...", Linearity::nonlinear, {2});
constexpr OpRule rows = op_rule("b n -> b n", Linearity::nonlinear, {2}, "n");
constexpr OpRule loss = op_rule("b v, b -> ", Linearity::nonlinear, {2, 1}, "v");

static_assert(gives(on_one_axis(mm, {I, I}), I) && gives(on_one_axis(mm, {R, R}), R));
static_assert(gives(on_one_axis(mm, {R, S(1)}), S(1)) && gives(on_one_axis(mm, {S(0), R}), S(0)));
static_assert(gives(on_one_axis(mm, {S(1), S(0)}), P));
static_assert(gives(on_one_axis(mm, {P, R}), P) && gives(on_one_axis(mm, {R, P}), P));
static_assert(gives(on_one_axis(sum, {P, P}), P) && gives(on_one_axis(sum, {S(1), S(1)}), S(1)));
static_assert(gives(on_one_axis(gelu, {S(1)}), S(1)) && gives(on_one_axis(rows, {S(0)}), S(0)));

static_assert(refuses(on_one_axis(mm, {I, S(1)}), Why::invariant_mixed, 0, R));
static_assert(refuses(on_one_axis(mm, {R, I}), Why::invariant_mixed, 1, R));
static_assert(refuses(on_one_axis(mm, {P, I}), Why::invariant_mixed, 1, R));
static_assert(refuses(on_one_axis(sum, {S(0), S(1)}), Why::sharded_differently, 1, S(0)));
static_assert(refuses(on_one_axis(mm, {S(0), S(1)}), Why::sharded_differently, 1, R));
static_assert(refuses(on_one_axis(mm, {S(1), R}), Why::factor_not_sharded, 1, S(0)));
static_assert(refuses(on_one_axis(mm, {I, S(0)}), Why::factor_not_sharded, 0, S(1)));
static_assert(refuses(on_one_axis(rows, {S(1)}), Why::whole_factor_sharded, 0, R));
static_assert(on_one_axis(gelu, {P}).why == Why::partial_in_nonlinear);
static_assert(refuses(on_one_axis(mm, {P, P}), Why::partial_times_partial, 0, R));
static_assert(refuses(on_one_axis(mm, {P, S(1)}), Why::partial_times_sharded, 0, R));
static_assert(on_one_axis(sum, {P, R}).why == Why::partial_plus_other &&
              on_one_axis(sum, {I, P}).why == Why::partial_plus_other &&
              on_one_axis(sum, {S(0), P}).why == Why::partial_plus_other);

// A sum over a split factor: an operand that lacks it would be counted once per rank.
constexpr OpRule row_sums = op_rule("b n, b -> b", Linearity::sum, {2, 1});
constexpr OpRule two_row_sums = op_rule("b n, b n -> b", Linearity::sum, {2, 2});
static_assert(refuses(on_one_axis(row_sums, {S(1), R}), Why::factor_not_sharded, 0, R));
static_assert(refuses(on_one_axis(row_sums, {S(1), R}, 0b10), Why::factor_not_sharded, 0, R));
static_assert(gives(on_one_axis(row_sums, {S(0), S(0)}), S(0)) && gives(on_one_axis(row_sums, {P, P}), P));
static_assert(gives(on_one_axis(two_row_sums, {S(1), S(1)}), P));
static_assert(gives(on_one_axis(op_rule("b n -> b", Linearity::sum, {2}), {S(1)}), P));

// Without a gradient, I and R are one.
static_assert(gives(on_one_axis(sum, {I, R}, 0b10), I) && gives(on_one_axis(sum, {R, I}, 0b10), R));
static_assert(gives(on_one_axis(mm, {I, S(1)}, 0b01), S(1)) && gives(on_one_axis(mm, {P, I}, 0b10), P));
static_assert(on_one_axis(sum, {I, R}, 0b01).result[0] == R);
static_assert(refuses(on_one_axis(mm, {S(1), I}, 0b10), Why::factor_not_sharded, 1,
                      S(0)));  // it is to be split all the same

// over: the axis splits a dim that the op needs whole. Contracted: one result for all. Kept: its part.
static_assert(gives(on_one_axis(loss, {S(1), R}, 0b10, 1), I) &&
              gives(on_one_axis(loss, {S(1), I}, 0b10, 1), I));
static_assert(gives(on_one_axis(rows, {S(1)}, 0, 1), S(1)));
static_assert(refuses(on_one_axis(loss, {I, I}, 0b10, 1), Why::over_axis_not_sharded, 0, S(1)));
static_assert(refuses(on_one_axis(loss, {S(0), S(0)}, 0b10, 1), Why::over_axis_not_sharded, 0, S(1)));
static_assert(on_one_axis(mm, {S(1), S(0)}, 0, 1).why == Why::over_axis_not_sharded);  // needs nothing whole
static_assert(on_one_axis(mm, {P, R}, 0, 1).why == Why::over_axis_not_sharded);

// ---- what a refusal proposes ------------------------------------------------------------------

/// Follows the proposals from a combination that is refused; the number of changes until it fits, or -1.
int changes_until_it_fits(const OpRule& rule, std::vector<tpx::Operand> operands, int axes) {
  for (int changes = 0; changes < 20; ++changes) {
    const Verdict v = tpx::apply(rule, operands.data(), axes);
    if (v.why == Why::fits) return changes;
    Spec& spec = operands[static_cast<std::size_t>(v.operand)].spec;
    const Spec next = tpx::detail::placed(spec, v.axis, v.fix);
    if (next == spec) return -1;  // a proposal that changes nothing
    spec = next;
  }
  return -1;
}

void check_proposals(const OpRule& rule, int axes) {
  static constexpr std::array<std::string_view, 3> names{"a", "b", "c"};
  std::vector<tpx::Operand> operands;
  const std::function<void()> next = [&] {
    const std::size_t i = operands.size();
    if (static_cast<int>(i) == rule.operands) {
      std::string text;
      for (std::size_t o = 0; o < i; ++o) {
        tpx::Shape shape;
        for (int d = 0; d < rule.ndim[o]; ++d) shape.push_back(1);
        text += ' ' + tpx::print("", shape, operands[o].spec, names);
      }
      CAPTURE(text);
      CHECK(changes_until_it_fits(rule, operands, axes) >= 0);
      return;
    }
    domain::for_each_spec(axes, rule.ndim[i], [&](Spec spec) {
      operands.push_back({spec, true});
      next();
      operands.pop_back();
    });
  };
  next();
}

/// Each axis is judged by itself: where the rule fits on all axes, each axis alone has that state.
void check_axes_are_independent(const OpRule& rule) {
  std::vector<Spec> specs;
  domain::for_each_spec(2, 2, [&](Spec s) { specs.push_back(s); });
  const auto only = [](Spec s, int axis) {
    const AxisState state = s[axis];
    return tpx::detail::placed(Spec{}, 0, state);
  };
  for (const Spec x : specs) {
    for (const Spec y : specs) {
      const tpx::Operand both[] = {{x, true}, {y, true}};
      const Verdict v = tpx::apply(rule, both, 2);
      if (v.why == Why::fits) CHECK(domain::is_valid(v.result, 2));
      bool all_fit = true;
      for (int a = 0; a < 2; ++a) {
        const tpx::Operand one[] = {{only(x, a), true}, {only(y, a), true}};
        const Verdict alone = tpx::apply(rule, one, 1);
        all_fit = all_fit && alone.why == Why::fits;
        if (v.why == Why::fits) {
          CHECK(alone.result[0].kind == v.result[a].kind);
          CHECK(alone.result[0].dim == v.result[a].dim);
        } else if (v.axis == a && v.why != Why::order_differs) {
          CHECK(alone.why == v.why);
        }
      }
      if (v.why != Why::fits && v.why != Why::order_differs) CHECK(!all_fit);
      if (v.why == Why::fits) CHECK(all_fit);
    }
  }
}

}  // namespace

TEST_CASE("rule: spaces and long names are read alike") {
  CHECK(loose.operands == matmul.operands);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(loose.ndim[i] == matmul.ndim[i]);
    for (int d = 0; d < loose.ndim[i]; ++d) CHECK(int(loose.factor[i][d]) == int(matmul.factor[i][d]));
  }
  REQUIRE(loose.result_ndim == matmul.result_ndim);
  for (int d = 0; d < loose.result_ndim; ++d) CHECK(int(loose.result[d]) == int(matmul.result[d]));
}

TEST_CASE("rule: a text that is none is refused") {
  CHECK_THROWS_AS(op_rule("b k, k n -> b n", Linearity::product, {3, 2}), tpx::Error);
  CHECK_THROWS_AS(op_rule("b k, k n -> b n", Linearity::product, {2}), tpx::Error);
  CHECK_THROWS_AS(op_rule("b k -> b", Linearity::product, {2, 2}), tpx::Error);
  CHECK_THROWS_AS(op_rule("b k, k n", Linearity::product, {2, 2}), tpx::Error);
  CHECK_THROWS_AS(op_rule("... k, k n -> ... n", Linearity::product, {0, 2}), tpx::Error);
  CHECK_THROWS_AS(op_rule("..., ... -> ...", Linearity::sum, {3, 2}), tpx::Error);
  CHECK_THROWS_AS(op_rule("b n -> b n", Linearity::nonlinear, {2}, "m"), tpx::Error);
  CHECK_THROWS_AS(op_rule("a, a, a, a, a, a, a, a, a -> a", Linearity::sum, {1, 1, 1, 1, 1, 1, 1, 1, 1}),
                  tpx::Error);
  // Where it is read while compiling nothing is thrown: the op says so in its own words.
  static_assert(!op_rule("b k, k n", Linearity::product, {2, 2}).fits);
  static_assert(!op_rule("b n -> b n", Linearity::nonlinear, {2}, "m").fits);
  CHECK_NOTHROW(op_rule("... n -> ... n", Linearity::nonlinear, {1}, "n"));
}

TEST_CASE("rule: each axis is judged by itself") {
  check_axes_are_independent(mm);
  check_axes_are_independent(sum);
}

TEST_CASE("rule: following what the refusals propose ends in a program that fits") {
  for (int axes : {1, 2}) {
    check_proposals(mm, axes);
    check_proposals(sum, axes);
    check_proposals(gelu, axes);
    check_proposals(rows, axes);
    check_proposals(row_sums, axes);
  }
  check_proposals(attention, 1);
  check_proposals(op_rule("n, n -> n", Linearity::sum, {1, 1}), 3);
}
