// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a layer takes activations as its Accepts says
// expect: tpx: a layer takes activations in the layout that its Accepts names
#include <tpx/comm/self.hpp>
#include <tpx/nn/linear.hpp>
#include <tpx/ops/pointwise.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using X = Values<3, Shard<0, dp>, Shard<1, tp>>;
#else
using X = Values<3, Shard<0, dp>>;
#endif

using Layer = ColumnParallelLinear<float, Mesh, tp>;
void program(const Layer& layer, const X& x) { gelu(layer(x)); }

int main() { return 0; }
