// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: 192 columns are 96 + 96, and 3 heads of 64 are not
// expect: tpx::unflatten: the axes that split a dim divide the first of its factors, so that none is cut
// expect: StaticExtents<3, 64>
#include <tpx/ops/flatten.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<Sized<tp, 2>>({2});
  const auto qkv = zeros<float>(mesh, layout<Shard<1, tp>>, static_extents<8, 192>);
#ifdef TPX_MUST_NOT_COMPILE
  (void)unflatten<1>(qkv, static_extents<3, 64>);
#else
  (void)unflatten<1>(qkv, static_extents<6, 32>);
#endif
}
