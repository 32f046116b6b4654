// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Typed tensors against the value form: for every combination of layouts on two axes that the rule takes, the
// op is instantiated with these types. The type of its result is the rule's answer at run time, and what the
// ranks hold, forward and backward, is what plain loops say.

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/distributed.hpp"
#include "validator/evaluate.hpp"
#include "validator/ops.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

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

/// One op with the extents and values that all its instantiations share.
struct Sample {
  validator::Op op;
  std::vector<Shape> shapes;
  std::vector<simulate::Tensor> whole;
  simulate::Tensor gradient{Shape{}};
  validator::Answer expected;

  Sample(validator::Op o, std::vector<Shape> s) : op(std::move(o)), shapes(std::move(s)) {
    simulate::Random random(5);
    for (const Shape& shape : shapes) whole.push_back(simulate::random_tensor(shape, random));
    gradient = simulate::random_tensor(validator::result_shape(op, shapes), random);
    expected = validator::evaluate(op, whole, std::vector<validator::Index>(whole.size()),
                                   [&](const Shape&) { return gradient; });
  }
};

/// The sizes of Ragged pieces for both axes together: as many as there are ranks, some of them none.
Shape with_some_pieces(Shape shape, Spec spec, int ranks) {
  for (int d = 0; d < shape.ndim(); ++d) {
    if (tpx::detail::partition_of(spec, d) != Partition::ragged) continue;
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(ranks), 0);
    for (std::int64_t e = 0; e < shape[d]; ++e) ++sizes[static_cast<std::size_t>(e * e + shape[d]) % sizes.size()];
    shape = shape.with_pieces(d, std::move(sizes));
  }
  return shape;
}

template <class Mesh, std::uint32_t... Bits, class Fn, std::size_t... I>
void check_one(const World& world, const Mesh& mesh, const Sample& sample, Fn fn, std::index_sequence<I...>) {
  using List = typename Mesh::axes;
  Tape<Mesh> tape(mesh);
  const std::array<std::uint32_t, sizeof...(Bits)> bits{Bits...};
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < bits.size(); ++i)
    shapes.push_back(with_some_pieces(sample.shapes[i], Spec{bits[i]}, world.size()));
  const auto x = std::tuple(tape.watch(put(
      mesh, Given<double, std::tuple_element_t<I, typename Fn::ndims>::value, layout_from_spec<List, Bits>>{
                shapes[I], sample.whole[I].data}))...);
  const auto y = std::apply(fn, x);
  CAPTURE(y.describe());
  ((void)0, ..., [&] { CAPTURE(std::get<I>(x).describe()); }());
  const Operand operands[] = {{Spec{Bits}}...};
  CHECK(y.spec == apply(sample.op.rule, operands, 2).result);
  CHECK(off_layout(world, mesh, y.shape(), y.spec, y.shard(), sample.expected.value.data) <= 1e-12);

  using Y = std::decay_t<decltype(y)>;
  backward(y, put(mesh, Given<double, Y::ndim, dual_t<typename Y::layout_type>>{y.shape(), sample.gradient.data}));
  const auto compare = [&](const auto& leaf, const simulate::Tensor& expected) {
    const auto dx = tape.gradient(leaf);
    CHECK(off_layout(world, mesh, dx.shape(), dx.spec, dx.shard(), expected.data) <= 1e-12);
  };
  (compare(std::get<I>(x), sample.expected.gradients[I]), ...);
}

/// Instantiates fn for every legal combination; how many there were.
template <class Rule, Partition partition, class Fn>
int check_all(const World& world, const Sample& sample, Fn fn) {
  constexpr std::size_t operands = std::tuple_size_v<typename Fn::ndims>;
  const int p = world.size();
  const auto mesh = make_mesh<dp, tp>(world, {p == 4 ? 2 : 1, 0});
  using Mesh = std::decay_t<decltype(mesh)>;
  const auto instantiate = [&]<std::size_t... C>(std::index_sequence<C...>) {
    const auto one = [&]<std::size_t c, std::size_t... I>(std::integral_constant<std::size_t, c>,
                                                          std::index_sequence<I...> each) {
      check_one<Mesh, legal_v<Rule, operands, partition>[c][I]...>(world, mesh, sample, fn, each);
    };
    (one(std::integral_constant<std::size_t, C>(), std::make_index_sequence<operands>()), ...);
    return static_cast<int>(sizeof...(C));
  };
  return instantiate(std::make_index_sequence<count_v<Rule, operands, partition>>());
}

template <int... N>
using Dims = std::tuple<std::integral_constant<int, N>...>;

struct Matmul {
  using ndims = Dims<2, 2>;
  auto operator()(const auto& x, const auto& w) const { return matmul(x, w); }
};
struct Add {
  using ndims = Dims<2, 1>;
  auto operator()(const auto& x, const auto& y) const { return add(x, y); }
};
struct Multiply {
  using ndims = Dims<2, 2>;
  auto operator()(const auto& x, const auto& y) const { return multiply(x, y); }
};
struct Rows {
  using ndims = Dims<2>;
  auto operator()(const auto& x) const { return sum<1>(x); }
};
struct Transpose {
  using ndims = Dims<2>;
  auto operator()(const auto& x) const { return transpose<1, 0>(x); }
};
struct Softmax {
  using ndims = Dims<2>;
  auto operator()(const auto& x) const { return softmax<1>(x); }
};

}  // namespace

TEST_CASE("validator: typed ops do what the value form says") {
  const World all = world();
  int typed = 0;
  {
    const auto op = validator::product("matmul", ops::matmul<2, 2, 1>::rule);
    typed += check_all<ops::matmul<2, 2, 1>, Partition::even>(all, Sample(op, {{12, 24}, {24, 12}}), Matmul());
    typed += check_all<ops::matmul<2, 2, 1>, Partition::balanced>(all, Sample(op, {{5, 7}, {7, 3}}), Matmul());
  }
  const auto total = [](const std::vector<validator::Number>& v) { return v[0] + v[1]; };
  typed += check_all<ops::add<2, 1>, Partition::ragged>(
      all, Sample(validator::pointwise("add", ops::add<2, 1>::rule, total), {{5, 7}, {7}}), Add());
  {
    using Rule = ops::elementwise_of_two<validator::linear, 2, 2>;
    typed += check_all<Rule, Partition::balanced>(
        all, Sample(validator::product("multiply", Rule::rule), {{5, 3}, {5, 3}}), Multiply());
  }
  {
    const Sample rows(validator::product("sum", ops::sum<2, 1>::rule), {{6, 5}});
    typed += check_all<ops::sum<2, 1>, Partition::balanced>(all, rows, Rows());
    typed += check_all<ops::sum<2, 1>, Partition::ragged>(all, rows, Rows());
  }
  typed += check_all<ops::transpose<1, 0>, Partition::ragged>(
      all, Sample(validator::product("transpose", ops::transpose<1, 0>::rule), {{6, 5}}), Transpose());
  typed += check_all<ops::softmax<2, 1>, Partition::balanced>(
      all, Sample(validator::softmax("softmax", ops::softmax<2, 1>::rule, 1, false), {{7, 4}}), Softmax());
  MESSAGE(typed << " instantiations");
  CHECK(typed >= 200);
}
