// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a product takes one Partial operand at most
// expect: tpx: a product takes one Partial operand at most
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/layout/refusal.hpp>

using namespace tpx::axes;

struct matmul {
  static constexpr tpx::OpRule rule = tpx::op_rule("b k, k n -> b n", tpx::Linearity::product, {2, 2});
};
using Mesh = tpx::AxisList<dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using X = tpx::layout_t<tpx::Partial<tp>>;
using W = tpx::layout_t<tpx::Partial<tp>>;
#else
using X = tpx::layout_t<tpx::Partial<tp>>;
using W = tpx::layout_t<tpx::Replicate<tp>>;
#endif

int main() { return tpx::detail::admit<matmul, Mesh, 0u, 0u, X, W>() ? 0 : 1; }
