// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: ops take tensors
// expect: tpx: ops take tensors: wrap(mesh, layout, view) makes one of a View
#include <tpx/comm/self.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/tensor/view.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

void program([[maybe_unused]] const Mesh& mesh, const Kokkos::View<float**, Kokkos::HostSpace>& view) {
#ifdef TPX_MUST_NOT_COMPILE
  gelu(view);
#else
  gelu(wrap(mesh, layout<>, view));
#endif
}

int main() { return 0; }
