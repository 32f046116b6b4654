// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a norm needs its dim whole
// expect: tpx: the op needs this dim whole on every rank
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/layer_norm.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using X = Values<float, 3, Shard<2, tp>>;
using Gain = Values<float, 1, Shard<0, tp>>;
#else
using X = Values<float, 3, Shard<1, tp>>;
using Gain = Values<float, 1, Replicate<tp>>;
#endif

void program(const X& x, const Gain& gamma, const Gain& beta) { layer_norm(x, gamma, beta); }

int main() { return 0; }
