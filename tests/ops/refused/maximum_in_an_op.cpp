// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a maximum over ranks is redistributed before an op takes it
// expect: tpx: what is Partial by Max or Min goes into no op before it has been redistributed
// expect: fix<0, tpx::Invariant<tpx::axes::tp>
#include <tpx/ops/extreme.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<1, tp>>>(mesh, Shape{4, 4});
#ifdef TPX_MUST_NOT_COMPILE
  (void)max<0>(scale(max<1>(x), 2));
#else
  (void)max<0>(scale(redistribute<Invariant<tp>>(max<1>(x)), 2));
#endif
}
