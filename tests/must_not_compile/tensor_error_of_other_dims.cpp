// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an error compares tensors of the same dims
// expect: tpx::mean_squared_error: the operands have the same number of dims
#include <tpx/comm/self.hpp>
#include <tpx/ops/reduce.hpp>

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

void program(const Values<float, 2>& x, const Y& y) { mean_squared_error(x, y); }

int main() { return 0; }
