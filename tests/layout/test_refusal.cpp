// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What fits, in types. What is refused: tests/must_not_compile.

#include <type_traits>

#include <doctest/doctest.h>

#include <tpx/layout/refusal.hpp>

namespace {

using namespace tpx::axes;
using tpx::Layout;
using tpx::Partial;
using tpx::Replicate;
using tpx::Shard;
namespace detail = tpx::detail;

struct matmul {
  static constexpr tpx::OpRule rule = tpx::op_rule("... k, k n -> ... n", tpx::Linearity::product, {3, 2});
};
struct add {
  static constexpr tpx::OpRule rule = tpx::op_rule("..., ... -> ...", tpx::Linearity::sum, {3, 3});
};
struct cross_entropy {
  static constexpr tpx::OpRule rule = tpx::op_rule("b s v, b s -> ", tpx::Linearity::nonlinear, {3, 2}, "v");
};
using Mesh = tpx::AxisList<dp, tp>;

template <class Op, unsigned Over, unsigned NoGradient, class Result, class... Layouts>
constexpr bool gives() {
  static_assert(detail::admit<Op, Mesh, Over, NoGradient, Layouts...>());
  return std::is_same_v<detail::result_layout<Op, Mesh, Over, NoGradient, Layouts...>, Result>;
}

// The walk through one Megatron block: I -> R -> S(hidden) -> P -> I.
static_assert(gives<matmul, 0, 0, Layout<Shard<2, tp>>, Layout<Replicate<tp>>, Layout<Shard<1, tp>>>());
static_assert(gives<matmul, 0, 0, Layout<Partial<tp>>, Layout<Shard<2, tp>>, Layout<Shard<0, tp>>>());
static_assert(gives<add, 0, 0, Layout<>, Layout<>, Layout<>>());

// With the batch split over dp the parameters are Replicate there.
static_assert(gives<matmul, 0, 0, Layout<Shard<0, dp>, Shard<2, tp>>, Layout<Shard<0, dp>, Replicate<tp>>,
                    Layout<Shard<1, tp>, Replicate<dp>>>());
static_assert(gives<matmul, 0, 0, Layout<Shard<0, dp>, Partial<tp>>, Layout<Shard<0, dp>, Shard<2, tp>>,
                    Layout<Shard<0, tp>, Replicate<dp>>>());
static_assert(gives<add, 0, 0, Layout<Shard<0, dp, tp>>, Layout<Shard<0, dp, tp>>, Layout<Shard<0, dp, tp>>>());

// A loss over a split vocabulary; the targets carry no gradient.
static_assert(gives<cross_entropy, detail::mask_of<tpx::over<tp>, Mesh>, 0b10, Layout<Partial<dp>>,
                    Layout<Shard<0, dp>, Shard<2, tp>>, Layout<Shard<0, dp>>>());

// One definition for one combination, and nothing but a value.
static_assert(detail::verdict_v<add, 0, 0, 0, 0>.why == tpx::Why::fits);
static_assert(std::is_empty_v<tpx::refused>);

}  // namespace

TEST_CASE("refusal: the verdict on a refused combination can be asked for") {
  constexpr tpx::Verdict v =
      detail::verdict_v<add, 0, 0, tpx::spec_v<Layout<Shard<0, dp>, Partial<tp>>, Mesh>.bits,
                        tpx::spec_v<Layout<Shard<0, dp>>, Mesh>.bits>;
  CHECK(v.why == tpx::Why::partial_plus_other);
  CHECK(v.axis == 1);
  CHECK(v.operand == 0);
  CHECK(v.fix == tpx::AxisState{});
}
