// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is turned comes before the positions that it is turned by
// expect: tpx::rotary: positions are std::int32_t, and come second: rotary(x, position, table)
#include <tpx/ops/rotary.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 4, layout_t<Shard<2, tp>>>(mesh, Shape{2, 3, 4, 8});
  const auto position = detail::make_tensor<std::int32_t, 2, layout_t<>>(mesh, Shape{2, 3});
  const RotaryTable<float, std::remove_const_t<decltype(mesh)>> table(mesh, 3, 8, 10000.0);
#ifdef TPX_MUST_NOT_COMPILE
  (void)rotary(position, x, table);
#else
  (void)rotary(x, position, table);
#endif
}
