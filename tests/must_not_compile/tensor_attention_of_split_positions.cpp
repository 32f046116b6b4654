// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: attention needs the positions whole: heads and batch may be split
// expect: tpx: the op needs this dim whole on every rank
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/attention.hpp>
#include <tpx/ops/matmul.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Q = Values<4, Shard<1, tp>>;
#else
using Q = Values<4, Shard<2, tp>>;
#endif

void program(const Q& q, const Values<3, Shard<0, tp>>& w) { matmul<2>(attention(q, q, q, Mask::causal), w); }

int main() { return 0; }
