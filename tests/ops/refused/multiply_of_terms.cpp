// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the square of a sum is not the sum of the squares
// expect: tpx: a product takes one Partial operand at most
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/reduce.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
#ifdef TPX_MUST_NOT_COMPILE
  using L = layout_t<Partial<tp>>;
#else
  using L = layout_t<Replicate<tp>>;
#endif
  const auto x = detail::make_tensor<float, 2, L>(mesh, Shape{4, 8});
  (void)mean_squared_error(relu(subtract(multiply(x, x), x)), x);
}
