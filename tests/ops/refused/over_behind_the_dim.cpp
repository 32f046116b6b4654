// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the axes that an op communicates over come first, of every op
// expect: tpx: over<axes...> stands in front of the dims: softmax<over<tp>, 1>(x), norm<over<tp>, 1>(x)
#include <tpx/ops/norm.hpp>
#include <tpx/ops/softmax.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<1, tp>>>(mesh, Shape{4, 8});
#ifdef TPX_MUST_NOT_COMPILE
  (void)softmax<0>(norm<1, over<tp>>(x));
#else
  (void)softmax<0>(norm<over<tp>, 1>(x));
#endif
}
