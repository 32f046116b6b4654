// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the second operand has the last dims of the first
// expect: tpx::add: the second operand has at most as many dims as the first
#include <tpx/comm/self.hpp>
#include <tpx/ops/add.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Y = Values<float, 3>;
#else
using Y = Values<float, 1>;
#endif

void program(const Values<float, 2>& x, const Y& y) { add(x, y); }

int main() { return 0; }
