// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the root is taken of the whole sum, so a norm along a split dim says that it communicates
// expect: tpx: the op needs this dim whole on every rank: redistribute the operand first, or name the axis in
// expect: on<tpx::axes::tp
#include <tpx/ops/norm.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<1, tp>>>(mesh, Shape{4, 4});
#ifdef TPX_MUST_NOT_COMPILE
  (void)norm<0>(norm<1>(x));
#else
  (void)norm<0>(norm<over<tp>, 1>(x));
#endif
}
