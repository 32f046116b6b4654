// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: parameters and watched tensors have gradients
// expect: tpx: a parameter's gradient is gradient(p)
#include <tpx/autodiff/tape.hpp>
#include <tpx/comm/self.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Track = NoTape;
#else
using Track = Trainable;
#endif

void program(const DTensor<float, 2, layout_t<>, Mesh, Track>& x) { gradient(x); }

int main() { return 0; }
