// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an axis does not say which of a model's parts are split along it, nor how
// expect: tpx::parallelize: a plan says how a model is split: TensorParallel<tp>, SequenceParallel<tp>
// expect: given<tpx::axes::tp>
#include <tpx/comm/self.hpp>
#include <tpx/nn/gpt2.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, tp>;
#ifdef TPX_MUST_NOT_COMPILE
using Split = tp;
#else
using Split = TensorParallel<tp>;
#endif

auto program(const Mesh& mesh, const DTensor<std::int32_t, 2, layout_t<>, Mesh>& ids) {
  const auto model = parallelize<Gpt2, float, Split>(mesh, Gpt2Config{}, RandomWeights(1));
  return model.loss(ids, ids);
}

int main() { return 0; }
