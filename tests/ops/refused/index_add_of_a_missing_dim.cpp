// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: dims are counted from the first
// expect: tpx::index_add: the dim is one of the operand's, 0 to ndim - 1
#include <tpx/ops/index.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
constexpr int dim = -1;
#else
constexpr int dim = 1;
#endif

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{2, 3});
  const auto i = detail::make_tensor<std::int32_t, 1, layout_t<>>(mesh, Shape{3});
  (void)index_add<dim>(x, i, 8);
}
