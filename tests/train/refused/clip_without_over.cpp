// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the ranks that have a part in a norm are named
// expect: tpx: the axes are named in the call
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

void program(Model& model) {
  Gradients gradients(model);
  const auto reduced = gradients.reduce<over<dp>>();
#ifdef TPX_MUST_NOT_COMPILE
  clip_grad_norm(reduced, model, 1.0);
#else
  clip_grad_norm<over<tp>>(reduced, model, 1.0);
#endif
}
