// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the number of dims is not negative
// expect: tpx::DTensor: the number of dims is not negative
#include <tpx/comm/self.hpp>
#include <tpx/tensor/dtensor.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using X = Values<float, -1>;
#else
using X = Values<float, 0>;
#endif

Shape program(const X& x) { return x.shape(); }

int main() { return 0; }
