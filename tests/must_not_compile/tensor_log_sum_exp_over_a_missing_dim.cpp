// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a log-sum-exp is over a dim of the operand
// expect: tpx::log_sum_exp: the dim is one of the operand's, 0 to ndim - 1
#include <tpx/comm/self.hpp>
#include <tpx/ops/softmax.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto partition(const Values<float, 2>& x) { return log_sum_exp<-1>(x); }
#else
auto partition(const Values<float, 2>& x) { return log_sum_exp<1>(x); }
#endif

void program(const Values<float, 2>& x) { partition(x); }

int main() { return 0; }
