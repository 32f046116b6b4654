// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a mean is over dims of the operand
// expect: tpx::mean: the dims are different ones of the operand
#include <tpx/comm/self.hpp>
#include <tpx/ops/reduce.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto average(const Values<float, 2>& x) { return mean<2>(x); }
#else
auto average(const Values<float, 2>& x) { return mean<1>(x); }
#endif

void program(const Values<float, 2>& x) { average(x); }

int main() { return 0; }
