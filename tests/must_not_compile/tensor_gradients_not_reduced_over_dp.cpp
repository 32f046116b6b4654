// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a gradient that is Partial is summed before an optimizer takes it
// expect: name the axis, gradients.reduce<over<axes...>>()
// expect: on<tpx::axes::dp>
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
using Data = over<>;
#else
using Data = over<dp>;
#endif

void program(Model& model, AdamW<Model>& optimizer) {
  Gradients gradients(model);
  optimizer.step(gradients.reduce<Data>(), 1e-3);
}

int main() { return 0; }
