// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a norm has one gain a feature
// expect: tpx::layer_norm: gamma and beta have one dim, the last of x
#include <tpx/comm/self.hpp>
#include <tpx/ops/layer_norm.hpp>

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

void program(const Values<float, 3>& x, const Gain& gamma, const Gain& beta) { layer_norm(x, gamma, beta); }

int main() { return 0; }
