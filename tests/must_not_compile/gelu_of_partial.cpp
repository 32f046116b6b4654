// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a nonlinear op does not take a Partial operand
// expect: tpx: a nonlinear op does not take a Partial operand
// expect: fix<0, tpx::
#include <tpx/layout/refusal.hpp>

using namespace tpx::axes;

struct gelu {
  static constexpr tpx::OpRule rule = tpx::op_rule("b n -> b n", tpx::Linearity::nonlinear, {2});
};
using Mesh = tpx::AxisList<dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using X = tpx::layout_t<tpx::Partial<tp>>;
#else
using X = tpx::layout_t<>;
#endif

int main() { return tpx::detail::admit<gelu, Mesh, 0u, 0u, X>() ? 0 : 1; }
