// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a dim is summed once
// expect: tpx::sum: the dims are different ones of the operand
#include <tpx/comm/self.hpp>
#include <tpx/ops/reduce.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto total(const Values<float, 2>& x) { return sum<1, 1>(x); }
#else
auto total(const Values<float, 2>& x) { return sum<0, 1>(x); }
#endif

void program(const Values<float, 2>& x) { total(x); }

int main() { return 0; }
