// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a layout has one type, which layout_t spells
// expect: tpx::DTensor: write the layout as layout_t<...>
#include <tpx/comm/self.hpp>
#include <tpx/tensor/dtensor.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using L = Layout<Partial<tp>, Shard<0, dp>>;
#else
using L = layout_t<Partial<tp>, Shard<0, dp>>;
#endif

std::int64_t program(const DTensor<float, 2, L, Mesh>& x) { return x.local_count(); }

int main() { return 0; }
