// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the sum of rounded terms is not the rounded sum
// expect: tpx: a nonlinear op does not take a Partial operand: f(a + b) is not f(a) + f(b)
// expect: op<tpx::ops::cast<float, tpx::bfloat16, 2
#include <tpx/ops/cast.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Partial<tp>>>(mesh, Shape{4, 4});
#ifdef TPX_MUST_NOT_COMPILE
  const auto y = cast<bfloat16>(x);
#else
  const auto y = cast<bfloat16>(redistribute<Shard<0, tp>>(x));
#endif
  (void)cast<float>(y);
  (void)cast<double>(x);
}
