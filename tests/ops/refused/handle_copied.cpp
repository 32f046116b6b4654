// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is under way is waited for once
// expect: tpx: a handle of redistribute_async is waited for once, so that it is moved, not copied
// expect: handle<tpx::Layout<tpx::Replicate<tpx::axes::tp>
#include <tpx/ops/redistribute_async.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<0, tp>>>(mesh, Shape{4, 6});
  auto h = redistribute_async<Replicate<tp>>(x);
#ifdef TPX_MUST_NOT_COMPILE
  auto y = h;
#else
  auto y = std::move(h);
#endif
  (void)y.wait();
}
