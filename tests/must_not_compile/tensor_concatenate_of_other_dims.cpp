// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is joined has the same dims
// expect: tpx::concatenate: the operands have the same number of dims
#include <tpx/comm/self.hpp>
#include <tpx/ops/shape.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Y = Values<float, 1>;
#else
using Y = Values<float, 2>;
#endif

void program(const Values<float, 2>& x, const Y& y) { concatenate<0>(x, y); }

int main() { return 0; }
