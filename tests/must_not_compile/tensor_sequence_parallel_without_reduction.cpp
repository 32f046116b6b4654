// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: beside a residual that is split over the sequence, terms are scattered first
// expect: tpx: a sum takes Partial in all of its operands or in none
// expect: fix<1, tpx::
#include <tpx/comm/self.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/redistribute.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto as_residual(const Values<float, 3, Partial<tp>>& y) { return y; }
#else
auto as_residual(const Values<float, 3, Partial<tp>>& y) { return redistribute<Shard<1, tp>>(y); }
#endif

void program(const Values<float, 3, Shard<1, tp>>& residual, const Values<float, 3, Shard<2, tp>>& h,
             const Values<float, 2, Shard<0, tp>>& w) {
  add(residual, as_residual(matmul(h, w)));
}

int main() { return 0; }
