// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a position is chosen of each sample
// expect: tpx::select_position: x is [batch, positions, ...], the index i32 [batch]
#include <tpx/ops/decode.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
constexpr int ndim = 1;
#else
constexpr int ndim = 2;
#endif

int main() {
  const auto mesh = make_abstract_mesh<dp>({2});
  const auto x = detail::make_tensor<float, ndim, layout_t<>>(mesh, ndim == 1 ? Shape{4} : Shape{4, 3});
  const auto index = detail::make_tensor<std::int32_t, 1, layout_t<>>(mesh, Shape{4});
  (void)select_position(x, index);
}
