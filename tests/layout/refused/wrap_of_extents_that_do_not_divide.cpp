// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the compiler knows the extents of the whole and the axis
// expect: tpx: an extent that is split evenly is a multiple of the sizes of the axes that split it
#include <tpx/comm/self.hpp>
#include <tpx/tensor/make_mesh.hpp>
#include <tpx/tensor/view.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_mesh<Sized<tp, 2>>(comm::Self());
  Kokkos::View<double**, Kokkos::LayoutRight, Kokkos::DefaultExecutionSpace> view("rows", 5, 2);
#ifdef TPX_MUST_NOT_COMPILE
  (void)wrap(mesh, layout<Shard<0, tp>>, view, static_extents<9, 2>);
#else
  (void)wrap(mesh, layout<Shard<0, tp>>, view, static_extents<10, 2>);
#endif
}
