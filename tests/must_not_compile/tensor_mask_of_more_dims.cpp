// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a mask has the last dims of what it masks
// expect: tpx: a mask has at most as many dims as what it masks, the last ones
#include <tpx/comm/self.hpp>
#include <tpx/ops/mask.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using M = Values<unsigned char, 3>;
#else
using M = Values<unsigned char, 1>;
#endif

void program(const Values<float, 2>& x, const M& mask) { masked_fill(x, mask, 0); }

int main() { return 0; }
