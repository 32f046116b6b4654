// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: each row that is added has its number
// expect: tpx::index_add: the index has as many dims as x has from the dim on, or fewer
#include <tpx/ops/index.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto i = detail::make_tensor<std::int32_t, 2, layout_t<>>(mesh, Shape{4, 8});
#ifdef TPX_MUST_NOT_COMPILE
  const auto x = detail::make_tensor<float, 1, layout_t<>>(mesh, Shape{4});
#else
  const auto x = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{4, 8});
#endif
  (void)index_add<0>(x, i, 3);
}
