// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a tensor is split over one of its dims
// expect: tpx: Shard<dim, ...> names one of the tensor's dims, 0 to ndim - 1
#include <tpx/comm/self.hpp>
#include <tpx/tensor/factory.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
constexpr int dim = 2;
#else
constexpr int dim = 1;
#endif

void program(const Mesh& mesh) { zeros<float>(mesh, layout<Shard<dim, tp>>, {4, 4}); }

int main() { return 0; }
