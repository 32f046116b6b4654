// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a scalar has no dims
// expect: tpx::item: the tensor has no dims
#include <tpx/comm/self.hpp>
#include <tpx/tensor/host_copy.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using X = Values<float, 1>;
#else
using X = Values<float, 0>;
#endif

float program(const X& x) { return item(x); }

int main() { return 0; }
