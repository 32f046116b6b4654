// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: half of an integer is none
// expect: tpx: the op computes with fractions, so integers are no operands of it
#include <tpx/ops/pointwise.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using Number = std::int32_t;
#else
using Number = float;
#endif

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<Number, 1, layout_t<Shard<0, tp>>>(mesh, Shape{4});
  (void)gelu(scale(x, 0.5));
}
