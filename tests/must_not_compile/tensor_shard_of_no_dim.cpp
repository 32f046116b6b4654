// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: Shard names one of the tensor's dims
// expect: tpx::DTensor: Shard<dim, ...> names one of the tensor's dims, 0 to ndim - 1
#include <tpx/comm/self.hpp>
#include <tpx/tensor/dtensor.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using X = DTensor<float, 2, layout_t<Shard<2, tp>>, Mesh>;
#else
using X = DTensor<float, 2, layout_t<Shard<1, tp>>, Mesh>;
#endif

std::int64_t program(const X& x) { return x.local_count(); }

int main() { return 0; }
