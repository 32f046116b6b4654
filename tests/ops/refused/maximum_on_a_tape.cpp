// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: backward through a maximum over ranks that was not detached
// expect: tpx::redistribute: a maximum or minimum over ranks has no gradient: detach what it is computed from
// expect: Partial<tpx::Max, tpx::axes::tp>
#include <tpx/autodiff/backward.hpp>
#include <tpx/ops/extreme.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  Tape tape(mesh);
  const auto x = tape.watch(detail::make_tensor<float, 1, layout_t<Shard<0, tp>>>(mesh, Shape{4}));
#ifdef TPX_MUST_NOT_COMPILE
  backward(redistribute<Invariant<tp>>(max(x)));
#else
  (void)redistribute<Invariant<tp>>(max(detach(x)));
#endif
}
