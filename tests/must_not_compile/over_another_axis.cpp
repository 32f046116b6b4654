// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: over names an axis that splits the dim which the op reduces
// expect: tpx: over<axis> names an axis that splits the dim which the op reduces
#include <tpx/layout/refusal.hpp>

using namespace tpx::axes;

struct softmax {
  static constexpr tpx::OpRule rule = tpx::op_rule("b n -> b n", tpx::Linearity::nonlinear, {2}, "n");
};
using Mesh = tpx::AxisList<dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using X = tpx::layout_t<tpx::Shard<1, tp>>;
constexpr unsigned over = tpx::detail::mask_of<tpx::over<dp, tp>, Mesh>;
#else
using X = tpx::layout_t<tpx::Shard<1, tp>>;
constexpr unsigned over = tpx::detail::mask_of<tpx::over<tp>, Mesh>;
#endif

int main() { return tpx::detail::admit<softmax, Mesh, over, 0u, X>() ? 0 : 1; }
