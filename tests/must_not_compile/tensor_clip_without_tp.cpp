// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the squares of a sharded gradient lie on all ranks of the axis
// expect: tpx::clip_grad_norm: a gradient that is sharded on an axis
// expect: on<tpx::axes::tp>
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

#ifdef TPX_MUST_NOT_COMPILE
using All = over<dp>;
#else
using All = over<dp, tp>;
#endif

void program(Model& model, AdamW<Model>& optimizer) {
  Gradients gradients(model);
  const auto reduced = gradients.reduce<over<dp>>();
  optimizer.step(reduced, 1e-3, clip_grad_norm<All>(reduced, model, 1.0));
}

int main() { return 0; }
