// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Typed tensors against the value form: for every combination of layouts on two axes that the rule takes, the
// op is instantiated with these types. The type of its result is the rule's answer at run time, and what the
// ranks hold, forward and backward, is what plain loops say.

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "validator/typed.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;
using validator::Sample;

namespace {

template <std::size_t Operands>
using Bits = std::array<std::uint32_t, Operands>;

constexpr Spec cut(Spec spec, Partition partition) {
  for (int a = 0; a < tpx::detail::max_axes; ++a) {
    AxisState s = spec[a];
    if (s.kind != Kind::shard) continue;
    s.partition = partition;
    spec = spec.with(a, s);
  }
  return spec;
}

/// Calls f(bits) with every combination on two axes that the rule takes.
template <std::size_t Operands, class F>
constexpr void for_each_legal(const OpRule& rule, Partition partition, F f) {
  const auto judge = [&](Spec x, Spec y) {
    const Operand operands[] = {{cut(x, partition)}, {cut(y, partition)}};
    if (apply(rule, operands, 2).why != Why::fits) return;
    Bits<Operands> bits{};
    for (std::size_t i = 0; i < Operands; ++i) bits[i] = operands[i].spec.bits;
    f(bits);
  };
  domain::for_each_spec(2, rule.ndim[0], [&](Spec x) {
    if constexpr (Operands == 1)
      judge(x, {});
    else
      domain::for_each_spec(2, rule.ndim[1], [&](Spec y) { judge(x, y); });
  });
}

template <class Rule, std::size_t Operands, Partition partition>
inline constexpr std::size_t count_v = [] {
  std::size_t n = 0;
  for_each_legal<Operands>(Rule::rule, partition, [&](const Bits<Operands>&) { ++n; });
  return n;
}();

/// All of them.
template <class Rule, std::size_t Operands, Partition partition>
inline constexpr auto legal_v = [] {
  std::array<Bits<Operands>, count_v<Rule, Operands, partition>> all{};
  std::size_t n = 0;
  for_each_legal<Operands>(Rule::rule, partition, [&](const Bits<Operands>& bits) { all[n++] = bits; });
  return all;
}();

/// Instantiates fn for every legal combination; how many there were.
template <class Rule, Partition partition, class Fn>
int check_all(const World& world, const Sample& sample, Fn fn) {
  constexpr auto operands = static_cast<std::size_t>(Rule::rule.operands);
  const int p = world.size();
  const auto mesh = make_mesh<dp, tp>(world, {p == 4 ? 2 : 1, 0});
  const auto instantiate = [&]<std::size_t... C>(std::index_sequence<C...>) {
    const auto one = [&]<std::size_t c, std::size_t... I>(std::integral_constant<std::size_t, c>,
                                                          std::index_sequence<I...>) {
      validator::check_one<validator::As<Rule>, legal_v<Rule, operands, partition>[c][I]...>(world, mesh,
                                                                                             sample, fn);
    };
    (one(std::integral_constant<std::size_t, C>(), std::make_index_sequence<operands>()), ...);
    return static_cast<int>(sizeof...(C));
  };
  return instantiate(std::make_index_sequence<count_v<Rule, operands, partition>>());
}

}  // namespace

TEST_CASE("validator: typed ops do what the value form says") {
  const World all = world();
  int typed = 0;
  {
    using Rule = ops::matmul<2, 2, 1>;
    const auto op = validator::product("matmul", Rule::rule);
    const auto fn = [](const auto& x, const auto& w) { return matmul(x, w); };
    typed += check_all<Rule, Partition::even>(all, Sample(op, {{12, 24}, {24, 12}}), fn);
    typed += check_all<Rule, Partition::balanced>(all, Sample(op, {{5, 7}, {7, 3}}), fn);
  }
  const auto total = [](const std::vector<validator::Number>& v) { return v[0] + v[1]; };
  typed += check_all<ops::add<2, 1>, Partition::ragged>(
      all, Sample(validator::pointwise("add", ops::add<2, 1>::rule, total), {{5, 7}, {7}}),
      [](const auto& x, const auto& y) { return add(x, y); });
  {
    using Rule = ops::elementwise_of_two<validator::linear, 2, 2>;
    typed += check_all<Rule, Partition::balanced>(
        all, Sample(validator::product("multiply", Rule::rule), {{5, 3}, {5, 3}}),
        [](const auto& x, const auto& y) { return multiply(x, y); });
  }
  {
    using Rule = ops::sum<2, 1>;
    const Sample rows(validator::product("sum", Rule::rule), {{6, 5}});
    const auto fn = [](const auto& x) { return sum<1>(x); };
    typed += check_all<Rule, Partition::balanced>(all, rows, fn);
    typed += check_all<Rule, Partition::ragged>(all, rows, fn);
  }
  typed += check_all<ops::transpose<1, 0>, Partition::ragged>(
      all, Sample(validator::product("transpose", ops::transpose<1, 0>::rule), {{6, 5}}),
      [](const auto& x) { return transpose<1, 0>(x); });
  typed += check_all<ops::softmax<2, 1>, Partition::balanced>(
      all, Sample(validator::softmax("softmax", ops::softmax<2, 1>::rule, 1, false), {{7, 4}}),
      [](const auto& x) { return softmax<1>(x); });
  MESSAGE(typed << " instantiations");
  CHECK(typed >= 200);
}
