// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: each rank takes other rows of x, whose gradients have to be summed: x is Replicate
// expect: tpx: Invariant mixes with Invariant only
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/ops/index.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto i = detail::make_tensor<std::int32_t, 1, layout_t<Shard<0, tp>>>(mesh, Shape{4});
#ifdef TPX_MUST_NOT_COMPILE
  const auto x = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{4, 8});
#else
  const auto x = detail::make_tensor<float, 2, layout_t<Replicate<tp>>>(mesh, Shape{4, 8});
#endif
  (void)index_add<0>(index_select<0>(x, i), i, 3);
}
