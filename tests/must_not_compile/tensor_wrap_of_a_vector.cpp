// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is wrapped is a View
// expect: tpx::wrap, tpx::copy_view: what is made a tensor is a Kokkos::View
#include <vector>

#include <tpx/comm/self.hpp>
#include <tpx/tensor/view.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using Given = std::vector<float>;
#else
using Given = Kokkos::View<float*, Kokkos::HostSpace>;
#endif

void program(const Mesh& mesh, const Given& given) { wrap(mesh, layout<Shard<0, tp>>, given); }

int main() { return 0; }
