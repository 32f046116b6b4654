// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the product of two sums is not the sum of the products
// expect: tpx: a product takes one Partial operand at most
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/matmul.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using W = Values<float, 2, Partial<tp>>;
#else
using W = Values<float, 2, Replicate<tp>>;
#endif

void program(const Values<float, 2, Partial<tp>>& x, const W& w) { matmul(matmul(x, w), w); }

int main() { return 0; }
