// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: which features of a matrix are of one sample, and which are another position's, is not said
// expect: tpx: this layer takes sequences: x is [batch, positions, features]
// expect: TransformerBlock
#include <tpx/comm/self.hpp>
#include <tpx/nn/transformer.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, tp>;
#ifdef TPX_MUST_NOT_COMPILE
constexpr int ndim = 2;
#else
constexpr int ndim = 3;
#endif

auto program(const TransformerBlock<float, Mesh, tp>& block, const DTensor<float, ndim, layout_t<>, Mesh>& x) {
  return block(x);
}

int main() { return 0; }
