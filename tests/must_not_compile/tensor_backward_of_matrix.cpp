// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a loss has no dims
// expect: tpx::backward: a loss has no dims
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Recorded = DTensor<float, N, layout_t<Placements...>, Mesh, OnTape<Mesh>>;

#ifdef TPX_MUST_NOT_COMPILE
constexpr int ndim = 2;
#else
constexpr int ndim = 0;
#endif

void program(const Recorded<ndim>& loss) { backward(loss); }

int main() { return 0; }
