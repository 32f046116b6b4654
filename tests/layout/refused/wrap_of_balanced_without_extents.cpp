// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: 5 rows here do not tell whether the others have 5 or 4
// expect: tpx: the extents of a Balanced or Ragged shard do not tell those of the whole tensor
#include <tpx/comm/self.hpp>
#include <tpx/tensor/make_mesh.hpp>
#include <tpx/tensor/view.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_mesh<tp>(comm::Self());
  Kokkos::View<double**, Kokkos::LayoutRight, Kokkos::DefaultExecutionSpace> view("rows", 5, 2);
#ifdef TPX_MUST_NOT_COMPILE
  (void)wrap(mesh, layout<Shard<0, Balanced, tp>>, view);
#else
  (void)wrap(mesh, layout<Shard<0, Balanced, tp>>, view, extents({5, 2}));
#endif
}
