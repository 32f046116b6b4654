// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is added is a tensor
// expect: tpx: ops take tensors: wrap(mesh, layout, view) makes one of a View
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute_add.hpp>
#include <tpx/tensor/make_mesh.hpp>
#include <tpx/tensor/view.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Partial<tp>>>(mesh, Shape{2, 4});
#ifdef TPX_MUST_NOT_COMPILE
  const Kokkos::View<float*> bias("bias", 4);
#else
  const auto bias = detail::make_tensor<float, 1, layout_t<>>(mesh, Shape{4});
#endif
  (void)gelu(redistribute_add<Invariant<tp>>(x, bias));
}
