// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a norm has one gain a feature
// expect: tpx::rms_norm: gamma has one dim, the last of x
#include <tpx/comm/self.hpp>
#include <tpx/ops/rms_norm.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Gain = Values<float, 2>;
#else
using Gain = Values<float, 1>;
#endif

void program(const Values<float, 3>& x, const Gain& gamma) { rms_norm(x, gamma); }

int main() { return 0; }
