// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: over<...> names axes of the mesh
// expect: tpx: over<...> names only axes that the mesh has
// expect: over<tpx::axes::pp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/norm.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Over = over<pp>;
#else
using Over = over<tp>;
#endif

void program(const Values<float, 2, Shard<1, tp>>& x) { norm<Over, 1>(x); }

int main() { return 0; }
