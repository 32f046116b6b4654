// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a strided View is copied by name
// expect: tpx::wrap: a shard is dense and row-major: a LayoutStride View is copied by name, copy_view(...)
#include <tpx/comm/self.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/tensor/view.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
using View = Kokkos::View<float**, Kokkos::LayoutStride, Kokkos::HostSpace>;

#ifdef TPX_MUST_NOT_COMPILE
auto take(const Mesh& mesh, const View& view) { return wrap(mesh, layout<>, view); }
#else
auto take(const Mesh& mesh, const View& view) { return copy_view(mesh, layout<>, view); }
#endif

void program(const Mesh& mesh, const View& view) { gelu(take(mesh, view)); }

int main() { return 0; }
