// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is the same on all ranks is made Replicate before a sharded weight uses it
// expect: tpx: Invariant mixes with Invariant only
// expect: fix<0, tpx::Replicate<tpx::axes::tp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using X = Values<2>;
#else
using X = Values<2, Replicate<tp>>;
#endif

void program(const X& x, const Values<2, Shard<1, tp>>& w1, const Values<2, Shard<0, tp>>& w2) {
  (void)redistribute<Invariant<tp>>(matmul(gelu(matmul(x, w1)), w2));
}

int main() { return 0; }
