// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a weight beside a batch split over dp is Replicate there: its gradients are summed
// expect: tpx: Invariant mixes with Invariant only
// expect: fix<1, tpx::Replicate<tpx::axes::dp>
#include <tpx/autodiff/parameter.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/matmul.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Weight = Parameter<float, 2, layout_t<>, Mesh>;
#else
using Weight = Parameter<float, 2, layout_t<Replicate<dp>>, Mesh>;
#endif

void program(const Values<2, Shard<0, dp>>& x, const Weight& w) { add(x, matmul(x, w)); }

int main() { return 0; }
