// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: gradients of ranks with other data are Partial until they are reduced
// expect: tpx: gradients are reduced before they are used
// expect: gradients.reduce<over<axes...>>()
#include <tpx/comm/self.hpp>
#include <tpx/train/adamw.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

struct Model {
  using element_type = float;
  using mesh_type = Mesh;
  Mesh on;
  Parameter<float, 2, layout_t<Replicate<dp>, Shard<1, tp>>, Mesh> weight;
  const Mesh& mesh() const { return on; }
  void visit(auto&& f) { f(weight); }
};

void program(Model& model, AdamW<Model>& optimizer) {
  Gradients gradients(model);
#ifdef TPX_MUST_NOT_COMPILE
  const auto& used = gradients;
#else
  const auto used = gradients.reduce<over<dp>>();
#endif
  optimizer.step(used, 1e-3, clip_grad_norm<over<tp>>(used, model, 1.0));
}
