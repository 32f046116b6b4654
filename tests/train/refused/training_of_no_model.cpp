// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a model has parameters to visit
// expect: tpx: a model has element_type, mesh_type, mesh() and visit(f)
#include <tpx/comm/self.hpp>
#include <tpx/train/data_parallel.hpp>

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
using Trained = Parameter<float, 2, layout_t<>, Mesh>*;
#else
using Trained = Model;
#endif

void program(Trained& model) { DataParallel<dp, Trained> data(model); }
