// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a softmax is over a dim of the operand
// expect: tpx::softmax: the dim is one of the operand's, 0 to ndim - 1
#include <tpx/comm/self.hpp>
#include <tpx/ops/softmax.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto probability(const Values<float, 2>& x) { return softmax<-1>(x); }
#else
auto probability(const Values<float, 2>& x) { return softmax<1>(x); }
#endif

void program(const Values<float, 2>& x) { probability(x); }

int main() { return 0; }
