// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: which steps lead to a layout is found while the program compiles
// expect: tpx::redistribute: the new placements stand in angle brackets: redistribute<Replicate<tp>>(x)
// expect: given<tpx::Layout<tpx::Replicate<tpx::axes::tp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<0, tp>>>(mesh, Shape{4, 6});
#ifdef TPX_MUST_NOT_COMPILE
  (void)redistribute(x, layout<Replicate<tp>>);
#else
  (void)redistribute<layout_t<Replicate<tp>>>(x, x.shape());
#endif
}
