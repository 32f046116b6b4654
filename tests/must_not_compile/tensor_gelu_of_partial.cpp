// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the terms of a row-parallel product are summed before a nonlinear op
// expect: tpx: a nonlinear op does not take a Partial operand
// expect: fix<0, tpx::Invariant<tpx::axes::tp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto summed(const Values<2, Partial<tp>>& y) { return y; }
#else
auto summed(const Values<2, Partial<tp>>& y) { return redistribute<Invariant<tp>>(y); }
#endif

void program(const Values<2, Shard<1, tp>>& x, const Values<2, Shard<0, tp>>& w) {
  scale(gelu(summed(matmul(x, w))), 0.5);
}

int main() { return 0; }
