// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a layer says how activations come on the axis that splits it
// expect: tpx: a layer's Accepts and Gives are placements on its own axis
#include <tpx/nn/linear.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using Accepts = Invariant<dp>;
#else
using Accepts = Invariant<tp>;
#endif

int main() {
  const auto mesh = make_abstract_mesh<dp, tp>({2, 2});
  const ColumnParallelLinear<float, std::decay_t<decltype(mesh)>, tp, 1, Accepts> layer(mesh, "in", 4, {8}, 1,
                                                                                        0.02);
  (void)layer(detail::make_tensor<float, 2, layout_t<Shard<0, dp>>>(mesh, Shape{2, 4}));
}
