// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an axis stands in a mesh once
// expect: tpx::DeviceMesh: an axis stands in a mesh once
#include <tpx/comm/self.hpp>
#include <tpx/mesh/device_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

struct Space {};
#ifdef TPX_MUST_NOT_COMPILE
using Mesh = DeviceMesh<comm::Self, Space, tp, tp>;
#else
using Mesh = DeviceMesh<comm::Self, Space, dp, tp>;
#endif

int main() { return Mesh::axes::size == 0 ? 1 : 0; }
