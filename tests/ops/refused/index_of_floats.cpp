// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: rows are taken by numbers that are integers
// expect: tpx::index_select: an index is std::int32_t and has at least one dim
#include <tpx/ops/index.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<1, tp>>>(mesh, Shape{4, 8});
#ifdef TPX_MUST_NOT_COMPILE
  const auto i = detail::make_tensor<float, 1, layout_t<>>(mesh, Shape{3});
#else
  const auto i = detail::make_tensor<std::int32_t, 1, layout_t<>>(mesh, Shape{3});
#endif
  (void)index_select<0>(index_select<0>(x, i), i);
}
