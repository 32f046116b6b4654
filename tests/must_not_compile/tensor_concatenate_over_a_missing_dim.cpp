// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is joined is so along a dim it has
// expect: tpx::concatenate: the dim is one of the operands', 0 to ndim - 1
#include <tpx/comm/self.hpp>
#include <tpx/ops/shape.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
constexpr int dim = -1;
#else
constexpr int dim = 1;
#endif

void program(const Values<float, 2>& x) { concatenate<dim>(x, x); }

int main() { return 0; }
