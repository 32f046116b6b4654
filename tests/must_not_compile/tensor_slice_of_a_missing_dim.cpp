// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a slice is of a dim of the operand
// expect: tpx::slice: the dim is one of the operand's, 0 to ndim - 1
#include <tpx/comm/self.hpp>
#include <tpx/ops/shape.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto part(const Values<float, 2>& x) { return slice<-1>(x, 0, 4); }
#else
auto part(const Values<float, 2>& x) { return slice<1>(x, 0, 4); }
#endif

void program(const Values<float, 2>& x) { part(x); }

int main() { return 0; }
