// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a bias is added once, not by every rank to its term
// expect: tpx: a sum takes Partial in all of its operands or in none
// expect: fix<0, tpx::Invariant<tpx::axes::tp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/add.hpp>
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
auto summed(const Values<2, Partial<tp>>& y) { return redistribute<Replicate<tp>>(y); }
#endif

void program(const Values<2, Shard<1, tp>>& x, const Values<2, Shard<0, tp>>& w,
             const Values<1, Replicate<tp>>& b) {
  gelu(add(summed(matmul(x, w)), b));
}

int main() { return 0; }
