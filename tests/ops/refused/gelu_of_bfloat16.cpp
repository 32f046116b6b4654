// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: kernels compute in float and double
// expect: tpx: bfloat16 is for storing and sending: ops compute in float or double, cast<float>(x) first
#include <tpx/ops/cast.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<bfloat16, 2, layout_t<Shard<0, tp>>>(mesh, Shape{4, 4});
#ifdef TPX_MUST_NOT_COMPILE
  (void)scale(gelu(x), 0.5);
#else
  (void)scale(gelu(cast<float>(x)), 0.5);
#endif
}
