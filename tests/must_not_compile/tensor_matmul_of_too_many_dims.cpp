// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is contracted are dims of both operands
// expect: tpx::matmul: the contracted dims are dims of both operands
#include <tpx/comm/self.hpp>
#include <tpx/ops/matmul.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
constexpr int contracted = 3;
#else
constexpr int contracted = 2;
#endif

void program(const Values<float, 3>& x, const Values<float, 2>& w) { matmul<contracted>(x, w); }

int main() { return 0; }
