// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a mesh has an axis at least
// expect: tpx::DeviceMesh: a mesh has one to four axes
#include <tpx/comm/self.hpp>
#include <tpx/mesh/device_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

struct Space {};
#ifdef TPX_MUST_NOT_COMPILE
using Mesh = DeviceMesh<comm::Self, Space>;
#else
using Mesh = DeviceMesh<comm::Self, Space, dp>;
#endif

int main() { return Mesh::axes::size == 0 ? 1 : 0; }
