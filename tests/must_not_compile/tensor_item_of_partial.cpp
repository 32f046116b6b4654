// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a number is read where the terms have been summed
// expect: tpx::item: a value that is read is the same on all ranks
#include <tpx/comm/self.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/host_copy.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <int N, class... Placements>
using Values = DTensor<float, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
float read(const Values<0, Partial<dp>>& loss) { return item(loss); }
#else
float read(const Values<0, Partial<dp>>& loss) { return item(redistribute<Invariant<dp>>(loss)); }
#endif

float program(const Values<0, Partial<dp>>& loss) { return 2 * read(loss); }

int main() { return 0; }
