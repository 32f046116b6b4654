// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is nowhere has no memory
// expect: tpx::DTensor::local: an abstract tensor has no memory
#include <tpx/comm/self.hpp>
#include <tpx/tensor/dtensor.hpp>
#include <tpx/tensor/make_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using Mesh = decltype(make_abstract_mesh<tp>({2}));
#else
using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, tp>;
#endif

auto program(const DTensor<float, 2, layout_t<>, Mesh>& x) { return x.local(); }

int main() { return 0; }
