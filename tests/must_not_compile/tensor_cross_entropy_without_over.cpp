// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a loss over split classes communicates, and says so: cross_entropy<over<tp>>
// expect: tpx: the op needs this dim whole on every rank
// expect: or name the axis in over<...> where the op takes one
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/cross_entropy.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Recorded = DTensor<float, N, layout_t<Placements...>, Mesh, OnTape<Mesh>>;

#ifdef TPX_MUST_NOT_COMPILE
using Over = over<>;
#else
using Over = over<tp>;
#endif

void program(const Recorded<3, Shard<2, tp>>& logits,
             const DTensor<std::int32_t, 2, layout_t<>, Mesh>& targets) {
  backward(cross_entropy<Over>(logits, targets));
}

int main() { return 0; }
