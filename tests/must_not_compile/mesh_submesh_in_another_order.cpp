// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a sub-mesh keeps the order of the axes
// expect: tpx::DeviceMesh::submesh: the axes keep their order
#include <tpx/comm/self.hpp>
#include <tpx/mesh/device_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

struct Space {};
template <>
class tpx::Context<Space> {
 public:
  static constexpr bool has_memory = false;
};
using Mesh = DeviceMesh<comm::Self, Space, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
auto part(const Mesh& mesh) { return mesh.submesh<tp, dp>(); }
#else
auto part(const Mesh& mesh) { return mesh.submesh<dp, tp>(); }
#endif

void program(const Mesh& mesh) { part(mesh); }

int main() { return 0; }
