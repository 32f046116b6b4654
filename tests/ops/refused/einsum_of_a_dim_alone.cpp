// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what an einsum sums over is a dim of both operands
// expect: tpx::einsum: a name stands once in an operand, and in two of operands and result
#include <tpx/ops/einsum.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Product {
#ifdef TPX_MUST_NOT_COMPILE
  static constexpr auto text = "s k, m n -> s n";
#else
  static constexpr auto text = "s k, k n -> s n";
#endif
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{4, 4});
  (void)einsum<Product>(einsum<Product>(x, x), x);
}
