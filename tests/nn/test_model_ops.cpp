// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/attention.hpp>
#include <tpx/ops/rotary.hpp>

#include "support/check_op.hpp"
#include "support/reference.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr std::int64_t batch = 4, positions = 5;

/// Positions 3 s + b, so that they differ in both dims.
std::int32_t position_at(std::int64_t b, std::int64_t s) { return static_cast<std::int32_t>(3 * s + b); }

/// The pairs (c, c + half) as complex numbers, turned by position 100^(-c / half), or back.
Values turned(const Values& x, std::int64_t heads, std::int64_t half, double direction) {
  Values y(x.size());
  for (std::int64_t r = 0; r < batch * positions; ++r) {
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t c = 0; c < half; ++c) {
        const auto at = static_cast<std::size_t>((r * heads + h) * 2 * half + c);
        const auto other = at + static_cast<std::size_t>(half);
        const double angle = direction * position_at(r / positions, r % positions) *
                             std::pow(100.0, -static_cast<double>(c) / static_cast<double>(half));
        y[at] = x[at] * std::cos(angle) - x[other] * std::sin(angle);
        y[other] = x[at] * std::sin(angle) + x[other] * std::cos(angle);
      }
    }
  }
  return y;
}

}  // namespace

TEST_CASE("rotary positions, of heads that are whole, split, factored, or terms") {
  for_each_mesh([&](const World& world, const auto& mesh) {
    const std::int64_t heads = 6, half = 2, n = batch * positions * heads * 2 * half;
    const Values x = random_values(n, 1), dy = random_values(n, 2);
    const RotaryTable<double, std::decay_t<decltype(mesh)>> table(mesh, 20, 2 * half, 100.0);
    const auto check = [&](const auto& x_given, auto batch_layout) {
      const auto position = from_function<std::int32_t>(
          mesh, batch_layout, {batch, positions}, [](const auto& at) { return position_at(at[0], at[1]); });
      check_op<double>(
          world, mesh,
          [&](const auto& in) {
            if constexpr (detail::is_on_tape<std::decay_t<decltype(in)>>) {
              return rotary(in, in.track().tape->input(position), table);
            } else {
              return rotary(in, position, table);
            }
          },
          turned(x, heads, half, 1), dy, std::array{turned(dy, heads, half, -1)}, 0, x_given);
    };
    using S0 = Shard<0, Balanced, dp>;
    check(given<double>(layout<S0, Shard<2, Balanced, tp>>, {batch, positions, heads, 2 * half}, x),
          layout<S0>);
    check(given<double>(layout<S0, Shard<2, Balanced, tp>>, {batch, positions, 3, 2, 2 * half}, x), layout<S0>);
    check(given<double>(layout<Replicate<dp>, Partial<tp>>, {batch, positions, heads, 2 * half}, x), layout<>);
    check(given<double>(layout<S0, Shard<1, Balanced, tp>>, {batch, positions, heads, 2 * half}, x),
          layout<S0, Shard<1, Balanced, tp>>);
  });
}

TEST_CASE("attention of grouped heads, of shared key heads, and with padding") {
  constexpr std::int64_t groups = 3, readers = 3, heads = groups * readers, d = 2;
  const std::vector<std::int32_t> lengths{5, 2, 0, 3};
  const Values q = random_values(batch * positions * heads * d, 1),
               k = random_values(batch * positions * groups * d, 2),
               v = random_values(batch * positions * groups * d, 3),
               dy = random_values(batch * positions * heads * d, 4);
  for_each_mesh([&](const World& world, const auto& mesh) {
    using S0 = Shard<0, Balanced, dp>;
    using Split = layout_t<S0, Shard<2, Balanced, tp>>;
    const auto check = [&](bool causal, bool padded, const auto& op, const auto& q_given, const auto& k_given,
                           const auto& v_given) {
      const reference::AttentionShape n{batch,
                                        positions,
                                        positions,
                                        heads,
                                        groups,
                                        d,
                                        causal,
                                        1 / std::sqrt(2.0),
                                        padded ? lengths : std::vector<std::int32_t>()};
      const auto expected = reference::attention_backward(q, k, v, dy, n);
      const auto length = from_function<std::int32_t>(
          mesh, layout<S0>, {batch},
          [&](const std::array<std::int64_t, 1>& at) { return lengths[static_cast<std::size_t>(at[0])]; });
      const auto on = [&](const auto& x) {
        if constexpr (detail::is_on_tape<std::decay_t<decltype(x)>>) {
          return x.track().tape->input(length);
        } else {
          return length;
        }
      };
      check_op<double>(
          world, mesh, [&](const auto& a, const auto& b, const auto& c) { return op(a, b, c, on(a)); },
          reference::attention(q, k, v, n).o, dy, std::array{expected.dq, expected.dk, expected.dv}, 0, q_given,
          k_given, v_given);
    };
    const auto grouped = [&](auto l, const Values& x) {
      return given<double>(l, {batch, positions, groups, d}, x);
    };
    const auto factored = given<double>(Split{}, {batch, positions, groups, readers, d}, q);
    check(
        true, false,
        [](const auto& a, const auto& b, const auto& c, const auto&) {
          return attention(a, b, c, Mask::causal);
        },
        factored, grouped(Split{}, k), grouped(Split{}, v));
    check(
        false, true,
        [](const auto& a, const auto& b, const auto& c, const auto& n) {
          return attention(a, b, c, Mask::none, n);
        },
        factored, grouped(Split{}, k), grouped(Split{}, v));
    using Shared = layout_t<S0, Replicate<tp>>;
    const auto flat = given<double>(Split{}, {batch, positions, heads, d}, q);
    check(
        true, true,
        [](const auto& a, const auto& b, const auto& c, const auto& n) {
          return shared_attention(a, b, c, Mask::causal, n);
        },
        flat, grouped(Shared{}, k), grouped(Shared{}, v));
  });
}

TEST_CASE("operands of other extents are refused") {
  const auto mesh = make_mesh<tp>(world());
  const auto x = [&](std::int64_t heads, std::int64_t d) {
    return zeros<float>(mesh, layout<>, {2, 3, heads, d});
  };
  const RotaryTable<float, std::decay_t<decltype(mesh)>> table(mesh, 8, 4, 1e4);
  const auto position = zeros<std::int32_t>(mesh, layout<>, {2, 2});
  CHECK_THROWS_WITH_AS(rotary(x(2, 4), position, table), doctest::Contains("f32[2,3,2,4]"), Error);
  CHECK_THROWS_WITH_AS((RotaryTable<float, std::decay_t<decltype(mesh)>>(mesh, 8, 3, 1e4)),
                       doctest::Contains("rotary positions turn pairs of features"), Error);
  CHECK_THROWS_WITH_AS(attention(x(4, 4), x(2, 4), x(2, 4), Mask::none), doctest::Contains("f32[2,3,2,4]"),
                       Error);
  CHECK_THROWS_WITH_AS(shared_attention(x(5, 4), x(2, 4), x(2, 4), Mask::none),
                       doctest::Contains("f32[2,3,5,4]"), Error);
  const auto lengths = zeros<std::int32_t>(mesh, layout<>, {3});
  CHECK_THROWS_WITH_AS(attention(x(2, 4), x(2, 4), x(2, 4), Mask::none, lengths),
                       doctest::Contains("each of the batch has a length"), Error);
}
