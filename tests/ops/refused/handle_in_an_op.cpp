// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: reading an unfinished asynchronous result
// expect: tpx: the value of redistribute_async is there after wait(): auto y = handle.wait()
// expect: handle<tpx::Layout<tpx::Replicate<tpx::axes::tp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute_async.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<0, tp>>>(mesh, Shape{4, 6});
  const auto w = detail::make_tensor<float, 2, layout_t<Shard<1, tp>>>(mesh, Shape{6, 6});
  auto h = redistribute_async<Replicate<tp>>(x);
#ifdef TPX_MUST_NOT_COMPILE
  (void)gelu(matmul(h, w));
#else
  (void)gelu(matmul(h.wait(), w));
#endif
}
