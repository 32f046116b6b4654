// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an axis has at least one rank
// expect: tpx::Sized: an axis has at least one rank
#include <tpx/comm/self.hpp>
#include <tpx/mesh/device_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

struct Space {};
#ifdef TPX_MUST_NOT_COMPILE
using Two = Sized<tp, 0>;
#else
using Two = Sized<tp, 2>;
#endif

int main() { return sizeof(Two) == 0 ? 1 : 0; }
