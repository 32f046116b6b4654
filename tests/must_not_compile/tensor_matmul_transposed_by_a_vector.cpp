// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a transposed weight has two dims
// expect: tpx::matmul_transposed: the weight is [out, in]
#include <tpx/comm/self.hpp>
#include <tpx/ops/matmul.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using W = Values<float, 1>;
#else
using W = Values<float, 2>;
#endif

void program(const Values<float, 2>& x, const W& w) { matmul_transposed(x, w); }

int main() { return 0; }
