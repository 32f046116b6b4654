// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a plan whose parts do not fit each other
// expect: tpx: every operand that has the sharded dim must be sharded over it
// expect: elementwise_of_two
#include <tpx/comm/self.hpp>
#include <tpx/nn/llama.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

/// Each rank computes all of one factor of the MLP's product, and its part of the other.
struct Mine : TensorParallel<tp> {
#ifdef TPX_MUST_NOT_COMPILE
  using up = Whole;
#endif
};

auto program(const Llama<float, Mesh, Mine>& model,
             const DTensor<std::int32_t, 2, layout_t<Shard<0, dp>>, Mesh>& ids) {
  return model.loss(ids, ids);
}

int main() { return 0; }
