// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the operands of an op are on one mesh
// expect: tpx: the operands of an op are on one mesh
#include <tpx/comm/self.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/pointwise.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Other = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, tp>;
#else
using Other = Mesh;
#endif

void program(const Values<2>& x, const DTensor<float, 2, layout_t<>, Other>& y) { gelu(add(x, y)); }

int main() { return 0; }
