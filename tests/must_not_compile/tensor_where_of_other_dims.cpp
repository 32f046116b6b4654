// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: both choices have the dims of the result
// expect: tpx::where: the two tensors have the same number of dims
#include <tpx/comm/self.hpp>
#include <tpx/ops/mask.hpp>

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

void program(const Values<unsigned char, 1>& mask, const Values<float, 2>& x, const Y& y) { where(mask, x, y); }

int main() { return 0; }
