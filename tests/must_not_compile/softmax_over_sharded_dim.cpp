// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a dim that the op needs whole is not sharded
// expect: tpx: the op needs this dim whole on every rank
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/layout/refusal.hpp>

using namespace tpx::axes;

struct softmax {
  static constexpr tpx::OpRule rule = tpx::op_rule("b n -> b n", tpx::Linearity::nonlinear, {2}, "n");
};
using Mesh = tpx::AxisList<dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using X = tpx::layout_t<tpx::Shard<1, tp>>;
#else
using X = tpx::layout_t<tpx::Shard<0, tp>>;
#endif

int main() { return tpx::detail::admit<softmax, Mesh, 0u, 0u, X>() ? 0 : 1; }
