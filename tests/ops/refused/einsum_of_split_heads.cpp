// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: both operands of an einsum are split over the heads, or none
// expect: tpx: every operand that has the sharded dim must be sharded over it
// expect: fix<1, tpx::Shard<2, tpx::axes::tp>
#include <tpx/ops/einsum.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Scores {
  static constexpr auto text = "b s h d, b t h d -> b h s t";
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto q = detail::make_tensor<float, 4, layout_t<Shard<2, tp>>>(mesh, Shape{2, 3, 4, 5});
#ifdef TPX_MUST_NOT_COMPILE
  const auto k = detail::make_tensor<float, 4, layout_t<>>(mesh, Shape{2, 3, 4, 5});
#else
  const auto k = detail::make_tensor<float, 4, layout_t<Shard<2, tp>>>(mesh, Shape{2, 3, 4, 5});
#endif
  (void)einsum<Scores>(q, k);
}
