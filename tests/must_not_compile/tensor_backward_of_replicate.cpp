// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a loss that every rank uses for itself would count its gradient once per rank
// expect: tpx::backward: a loss is Invariant or Partial on each axis
// expect: redistribute<Invariant<axis>>(loss) is free
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/redistribute.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Recorded = DTensor<float, N, layout_t<Placements...>, Mesh, OnTape<Mesh>>;

#ifdef TPX_MUST_NOT_COMPILE
using To = Replicate<tp>;
#else
using To = Invariant<tp>;
#endif

void program(const Recorded<0, Replicate<tp>>& loss) { backward(redistribute<To>(loss)); }

int main() { return 0; }
