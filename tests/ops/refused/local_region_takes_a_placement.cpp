// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an operand has a layout, of which a placement is a part
// expect: tpx::local_region: takes(...) is given layouts: takes(layout<Shard<0, dp>>, layout<>)
// expect: declared<tpx::Shard<0, tpx::axes::tp>
#include <tpx/ops/local_region.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Kernel {
  template <class Exec, class X, class Y>
  void operator()(const Exec&, const X&, const Y&) const {}
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<0, tp>>>(mesh, Shape{4, 3});
#ifdef TPX_MUST_NOT_COMPILE
  const auto in = takes(Shard<0, tp>{});
#else
  const auto in = takes(layout<Shard<0, tp>>);
#endif
  (void)local_region(Kernel{}, in, gives<float>(layout<Shard<0, tp>>, {4, 3}), x);
}
