// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a tensor on a mesh with pp is the same, or split, on the ranks along pp
// expect: tpx::send, tpx::receive: a tensor goes along an axis that its own mesh does not have
#include <tpx/comm/self.hpp>
#include <tpx/mesh/stage_mesh.hpp>
#include <tpx/ops/transfer.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

void next(const DeviceMesh<comm::Self, Kokkos::DefaultExecutionSpace, dp, pp>& mesh) {
#ifdef TPX_MUST_NOT_COMPILE
  send<pp>(mesh, zeros<float>(mesh, layout<Shard<0, dp>>, {2, 4}), 1);
#else
  send<pp>(mesh, zeros<float>(stage_mesh<pp>(mesh), layout<Shard<0, dp>>, {2, 4}), 1);
#endif
}
