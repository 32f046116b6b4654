// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is received is of a layout
// expect: tpx::receive: the tensor is of a layout, written layout_t<Shard<0, dp>>
#include <tpx/comm/self.hpp>
#include <tpx/ops/transfer.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using Received = Shard<0, dp>;
#else
using Received = layout_t<Shard<0, dp> >;
#endif

void program(const DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, pp, tp>& mesh,
             const Mesh& stage) {
  receive<pp, float, 2, Received>(mesh, stage, Shape{4, 4}, 0);
}
