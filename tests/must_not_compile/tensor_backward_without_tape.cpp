// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what was computed without a tape has no gradient
// expect: tpx::backward: the loss is computed from a tensor on a tape
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Loss = Values<0>;
#else
using Loss = DTensor<float, 0, layout_t<>, Mesh, OnTape<Mesh> >;
#endif

void program(const Loss& loss) { backward(loss); }

int main() { return 0; }
