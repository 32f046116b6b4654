// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a parameter keeps its gradient itself
// expect: tpx::Tape: what is put on a tape is a plain tensor
#include <tpx/autodiff/tape.hpp>
#include <tpx/comm/self.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Leaf = Parameter<float, 2, layout_t<>, Mesh>;
#else
using Leaf = Values<float, 2>;
#endif

void program(Tape<Mesh>& tape, const Leaf& x) { tape.watch(x); }

int main() { return 0; }
