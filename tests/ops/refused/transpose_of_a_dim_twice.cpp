// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a transpose loses no dim and repeats none
// expect: tpx::transpose: the order names each dim of the operand once
#include <tpx/ops/shape.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{4, 8});
#ifdef TPX_MUST_NOT_COMPILE
  (void)transpose<1, 1>(x);
#else
  (void)transpose<1, 0>(x);
#endif
}
