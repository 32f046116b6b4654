// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the text is a member of a struct, which messages name
// expect: tpx::einsum: it is given by a struct that says static constexpr auto text
#include <tpx/ops/einsum.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Product {
#ifndef TPX_MUST_NOT_COMPILE
  static constexpr auto text = "b k, k n -> b n";
#endif
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{4, 4});
  (void)einsum<Product>(einsum<Product>(x, x), x);
}
