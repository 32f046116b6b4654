// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a factory takes a layout
// expect: tpx: a factory takes a mesh and a layout
#include <tpx/comm/self.hpp>
#include <tpx/tensor/factory.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

void program(const Mesh& mesh) {
#ifdef TPX_MUST_NOT_COMPILE
  zeros<float>(mesh, Shard<0, tp>(), {4, 4});
#else
  zeros<float>(mesh, layout<Shard<0, tp> >, {4, 4});
#endif
}

int main() { return 0; }
