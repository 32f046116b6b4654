// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a View has at most 8 dims
// expect: tpx::DTensor::local: a Kokkos::View has at most 8 dims
#include <tpx/comm/self.hpp>
#include <tpx/tensor/dtensor.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using X = Values<float, 9>;
#else
using X = Values<float, 8>;
#endif

auto program(const X& x) { return x.local(); }

int main() { return 0; }
