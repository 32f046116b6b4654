// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a record holds eight operands
// expect: tpx::concatenate: two to eight tensors are joined: join eight, and the result with more
#include <tpx/comm/self.hpp>
#include <tpx/ops/shape.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

void program(const Values<float, 2>& x) {
#ifdef TPX_MUST_NOT_COMPILE
  concatenate<0>(x, x, x, x, x, x, x, x, x);
#else
  concatenate<0>(concatenate<0>(x, x, x, x, x, x, x, x), x);
#endif
}

int main() { return 0; }
