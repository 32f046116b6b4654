// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a mesh is asked for its own axes
// expect: tpx::DeviceMesh: the axis is one of the mesh's
// expect: axis<tpx::axes::pp>
#include <tpx/comm/self.hpp>
#include <tpx/mesh/device_mesh.hpp>
#include <tpx/tensor/context.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using Asked = pp;
#else
using Asked = tp;
#endif

int program(const Mesh& mesh) {
  return mesh.size<Asked>() + mesh.coordinate<Asked>() + mesh.submesh<dp, Asked>().size();
}

int main() { return 0; }
