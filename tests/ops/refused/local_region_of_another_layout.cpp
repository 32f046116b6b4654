// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the layouts are a local region's contract
// expect: tpx::local_region: an operand has the layout that takes(...) declares for it: redistribute it first
// expect: operand<1, tpx::Layout<>
#include <tpx/ops/local_region.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Kernel {
  template <class Exec, class X, class W, class Y>
  void operator()(const Exec&, const X&, const W&, const Y&) const {}
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<0, tp>>>(mesh, Shape{4, 3});
  const auto w = detail::make_tensor<float, 2, layout_t<>>(mesh, Shape{3, 3});
#ifdef TPX_MUST_NOT_COMPILE
  const auto in = w;
#else
  const auto in = redistribute<Replicate<tp>>(w);
#endif
  const auto y = local_region(Kernel{}, takes(layout<Shard<0, tp>>, layout<Replicate<tp>>),
                              gives<float>(layout<Shard<0, tp>>, {4, 3}), x, in);
  (void)local_region(Kernel{}, takes(layout<Shard<0, tp>>, layout<Replicate<tp>>),
                     gives<float>(layout<Shard<0, tp>>, {4, 3}), y, in);
}
