// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the gradient of a value that is Replicate is Partial
// expect: tpx::backward: a value's gradient is a tensor off the tape
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Gradient = Replicate<tp>;
#else
using Gradient = Partial<tp>;
#endif

void program(Tape<Mesh>& tape, const Values<float, 2, Replicate<tp>>& x, const Values<float, 2, Gradient>& dy) {
  backward(tape.watch(x), dy);
}

int main() { return 0; }
