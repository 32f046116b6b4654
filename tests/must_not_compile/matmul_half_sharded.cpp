// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: every operand that has the sharded dim is sharded over it
// expect: tpx: every operand that has the sharded dim must be sharded over it
// expect: fix<1, tpx::Shard<0, tpx::axes::tp>
#include <tpx/layout/refusal.hpp>

using namespace tpx::axes;

struct matmul {
  static constexpr tpx::OpRule rule = tpx::op_rule("b k, k n -> b n", tpx::Linearity::product, {2, 2});
};
using Mesh = tpx::AxisList<dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using X = tpx::layout_t<tpx::Shard<1, tp>>;
using W = tpx::layout_t<tpx::Replicate<tp>>;
#else
using X = tpx::layout_t<tpx::Shard<1, tp>>;
using W = tpx::layout_t<tpx::Shard<0, tp>>;
#endif

int main() { return tpx::detail::admit<matmul, Mesh, 0u, 0u, X, W>() ? 0 : 1; }
