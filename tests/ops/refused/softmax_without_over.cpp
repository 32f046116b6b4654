// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a softmax that communicates says so in its call
// expect: tpx: the op needs this dim whole on every rank: redistribute the operand first, or name the axis in
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/ops/softmax.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Shard<1, tp>>>(mesh, Shape{4, 8});
#ifdef TPX_MUST_NOT_COMPILE
  (void)log_sum_exp<0>(softmax<1>(x));
#else
  (void)log_sum_exp<0>(softmax<over<tp>, 1>(x));
#endif
}
