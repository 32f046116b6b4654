// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the compiler knows what a local region says that it gives
// expect: tpx: an extent that is split evenly is a multiple of the sizes of the axes that split it
#include <tpx/ops/local_region.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Kernel {
  template <class Exec, class X, class Y>
  void operator()(const Exec&, const X&, const Y&) const {}
};

int main() {
  const auto mesh = make_abstract_mesh<Sized<tp, 2>>({2});
  const auto x = zeros<float>(mesh, layout<Shard<0, tp>>, {8});
#ifdef TPX_MUST_NOT_COMPILE
  (void)local_region(Kernel{}, takes(layout<Shard<0, tp>>),
                     gives<float>(layout<Shard<0, tp>>, static_extents<7>), x);
#else
  (void)local_region(Kernel{}, takes(layout<Shard<0, tp>>),
                     gives<float>(layout<Shard<0, tp>>, static_extents<6>), x);
#endif
}
