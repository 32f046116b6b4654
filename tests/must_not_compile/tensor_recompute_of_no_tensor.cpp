// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is recomputed is a tensor
// expect: tpx::recompute: the function is called with the tensors that follow it, and returns a tensor
#include <tpx/comm/self.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/recompute.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

void program(Tape<Mesh>& tape, const Values<float, 2>& x) {
  recompute(
      [](const auto& a) {
#ifdef TPX_MUST_NOT_COMPILE
        gelu(a);
#else
        return gelu(a);
#endif
      },
      tape.watch(x));
}

int main() { return 0; }
