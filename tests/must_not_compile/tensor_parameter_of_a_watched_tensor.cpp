// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a parameter is no tensor on a tape
// expect: tpx::make_parameter: a parameter is made of a plain tensor
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

void program(const DTensor<float, 2, layout_t<>, Mesh, OnTape<Mesh>>& x) {
#ifdef TPX_MUST_NOT_COMPILE
  make_parameter("w", x);
#else
  make_parameter("w", detach(x));
#endif
}

int main() { return 0; }
