// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: operands split a dim by the same axes in the same order
// expect: tpx: operands split a dim by the same axes in the same order
// expect: fix<1, tpx::Shard<0, tpx::axes::tp>
#include <tpx/layout/refusal.hpp>

using namespace tpx::axes;

struct add {
  static constexpr tpx::OpRule rule = tpx::op_rule("b n, b n -> b n", tpx::Linearity::sum, {2, 2});
};
using Mesh = tpx::AxisList<dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using X = tpx::layout_t<tpx::Shard<0, dp, tp>>;
using W = tpx::layout_t<tpx::Shard<0, tp, dp>>;
#else
using X = tpx::layout_t<tpx::Shard<0, dp, tp>>;
using W = tpx::layout_t<tpx::Shard<0, dp, tp>>;
#endif

int main() { return tpx::detail::admit<add, Mesh, 0u, 0u, X, W>() ? 0 : 1; }
