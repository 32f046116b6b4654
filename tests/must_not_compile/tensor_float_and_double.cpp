// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the operands of an op have one element type
// expect: tpx: the operands of an op have one element type, but for ids, lengths and masks
#include <tpx/comm/self.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Number = double;
#else
using Number = float;
#endif

void program(const Values<2>& x, const DTensor<Number, 2, layout_t<>, Mesh>& w) { gelu(matmul(x, w)); }

int main() { return 0; }
