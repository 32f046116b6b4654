// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a mask carries no gradient, so it is made of integers
// expect: tpx: a mask has integers
#include <tpx/ops/mask.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
#ifdef TPX_MUST_NOT_COMPILE
  using M = float;
#else
  using M = unsigned char;
#endif
  const auto x = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{4, 8});
  (void)masked_fill(x, detail::make_tensor<M, 1, layout_t<>>(mesh, Shape{8}), 0);
}
