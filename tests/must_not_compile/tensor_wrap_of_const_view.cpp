// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a tensor gives access to its elements, so a const View does not wrap
// expect: tpx::wrap: the View's elements are not const
#include <tpx/comm/self.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/tensor/view.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using Number = const float;
#else
using Number = float;
#endif

void program(const Mesh& mesh, const Kokkos::View<Number**, Kokkos::LayoutRight, Kokkos::HostSpace>& view) {
  gelu(wrap(mesh, layout<>, view));
}

int main() { return 0; }
