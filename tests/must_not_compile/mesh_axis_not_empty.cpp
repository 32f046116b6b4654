// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an axis is a name, not a value
// expect: tpx::DeviceMesh: an axis is an empty struct with a static name
#include <tpx/comm/self.hpp>
#include <tpx/mesh/device_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

struct Space {};
#ifdef TPX_MUST_NOT_COMPILE
struct rows {
  static constexpr char name[] = "rows";
  int size;
};
#else
struct rows {
  static constexpr char name[] = "rows";
};
#endif

using Mesh = DeviceMesh<comm::Self, Space, rows, tp>;
int main() { return Mesh::axes::size == 0 ? 1 : 0; }
