// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the compiler knows the extents and the axis
// expect: tpx: an extent that is split evenly is a multiple of the sizes of the axes that split it
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<Sized<tp, 4>>({4});
#ifdef TPX_MUST_NOT_COMPILE
  (void)zeros<float>(mesh, layout<Shard<1, tp>>, static_extents<8, 30>);
#else
  (void)zeros<float>(mesh, layout<Shard<1, tp>>, static_extents<8, 32>);
#endif
}
