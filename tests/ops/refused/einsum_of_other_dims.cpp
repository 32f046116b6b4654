// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an einsum's text has a name for each dim of its operands
// expect: tpx::einsum: the text is two operands and a result, as in "b s k, k n -> b s n", with a name
// expect: Project
#include <tpx/ops/einsum.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Project {
  static constexpr auto text = "b s k, k n -> b s n";
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto w = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{4, 8});
#ifdef TPX_MUST_NOT_COMPILE
  const auto x = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{6, 4});
#else
  const auto x = detail::make_tensor<float, 3, layout_t<>>(mesh, Shape{2, 3, 4});
#endif
  (void)einsum<Project>(x, w);
}
