// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: one bias and one residual are added to a sum
// expect: tpx::redistribute_add: what is added is a bias of fewer dims, a residual of as many, or both in this
// order
#include <tpx/ops/redistribute_add.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Partial<tp>>>(mesh, Shape{4, 8});
  const auto bias = detail::make_tensor<float, 1, layout_t<>>(mesh, Shape{8});
#ifdef TPX_MUST_NOT_COMPILE
  (void)redistribute_add<Invariant<tp>>(x, bias, bias);
#else
  const auto residual = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{4, 8});
  (void)redistribute_add<Invariant<tp>>(x, bias, residual);
#endif
}
