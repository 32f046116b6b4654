// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/check_op.hpp"
#include "validator/evaluate.hpp"
#include "validator/ops.hpp"

/// Typed tensors on real ranks against the value form and the loops.
namespace validator {

/// How an op is instantiated: its rule, the operands without a gradient (a bit for each), the axes that it
/// communicates over, and whether it may be on a tape.
template <class Op, unsigned WithoutGradient = 0, unsigned Over = 0, bool Taped = true>
struct As {
  static constexpr tpx::OpRule rule = Op::rule;
  static constexpr unsigned over = Over;
  static constexpr bool taped = Taped;
  template <std::size_t I>
  using element = std::conditional_t<(WithoutGradient >> I & 1u) != 0, std::int32_t, double>;
};

/// One op with the extents and values that all its instantiations share.
struct Sample {
  Op op;
  std::vector<Shape> shapes;
  double tolerance = 1e-12;
  std::vector<Tensor> whole{};
  Tensor gradient{Shape{}};
  Answer expected{};

  Sample(Op o, std::vector<Shape> s, double t = 1e-12) : op(std::move(o)), shapes(std::move(s)), tolerance(t) {
    simulate::Random random(5);
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      whole.push_back(simulate::random_tensor(shapes[i], random));
      for (double& v : whole[i].data)
        if (op.value) v = op.value(i, v, shapes);
    }
    gradient = simulate::random_tensor(result_shape(op, shapes), random);
    expected = evaluate(op, whole, gradient);
  }
};

/// The sizes of Ragged pieces for both axes together: as many as there are ranks, some of them none.
inline Shape with_some_pieces(Shape shape, tpx::Spec spec, int ranks, std::int64_t multiple = 1) {
  for (int d = 0; d < shape.ndim(); ++d) {
    if (tpx::detail::partition_of(spec, d) != tpx::Partition::ragged) continue;
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(ranks), 0);
    const std::int64_t n = shape[d] / multiple;
    for (std::int64_t e = 0; e < n; ++e) sizes[static_cast<std::size_t>(e * e + n) % sizes.size()] += multiple;
    shape = shape.with_pieces(d, std::move(sizes));
  }
  return shape;
}

/// The op on operands of these layouts: the result's layout, and what the ranks hold forward and backward.
template <class How, std::uint32_t... Bits, class Mesh, class Fn>
void check_one(const tpx::test::World& world, const Mesh& mesh, const Sample& sample, Fn fn) {
  using namespace tpx;
  using namespace tpx::test;
  using List = typename Mesh::axes;
  Tape<Mesh> tape(mesh);
  const std::array<std::uint32_t, sizeof...(Bits)> bits{Bits...};
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto tensor = [&]<std::size_t i, std::uint32_t b>(std::integral_constant<std::size_t, i>,
                                                            std::integral_constant<std::uint32_t, b>) {
      constexpr int n = How::rule.ndim[i];
      const Shape& whole = sample.shapes[i];
      const std::int64_t multiple = i == 0 && !sample.op.multiples.empty() ? sample.op.multiples.back() : 1;
      const auto x =
          put(mesh, Given<typename How::template element<i>, n, layout_from_spec<List, b>>{
                        with_some_pieces(whole, Spec{b}, world.size(), multiple), sample.whole[i].data});
      if constexpr (How::taped)
        return tpx::test::leaf(tape, x);
      else
        return x;
    };
    const auto x = std::tuple(
        tensor(std::integral_constant<std::size_t, I>(), std::integral_constant<std::uint32_t, Bits>())...);
    const auto y = std::apply(fn, x);
    using Y = std::decay_t<decltype(y)>;
    CAPTURE(sample.op.name);
    CAPTURE(y.describe());
    const Operand operands[] = {{Spec{bits[I]}, std::is_same_v<typename How::template element<I>, double>}...};
    CHECK(y.spec == judge(sample.op, operands, 2, How::over).result);
    CHECK(off_layout(world, mesh, y.shape(), y.spec, y.shard(), sample.expected.value.data) <=
          sample.tolerance);
    if constexpr (How::taped) {
      backward(y, put(mesh, Given<double, Y::ndim, dual_t<typename Y::layout_type>>{y.shape(),
                                                                                    sample.gradient.data}));
      const auto compare = [&](const auto& operand, const Tensor& expected) {
        if constexpr (std::decay_t<decltype(operand)>::carries_gradient) {
          const auto dx = tape.gradient(operand);
          CAPTURE(dx.describe());
          CHECK(off_layout(world, mesh, dx.shape(), dx.spec, dx.shard(), expected.data) <= sample.tolerance);
        }
      };
      (compare(std::get<I>(x), sample.expected.gradients[I]), ...);
    }
  }
  (std::make_index_sequence<sizeof...(Bits)>());
}

}  // namespace validator
