// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a leaf has a gradient, so it has floating-point elements
// expect: tpx::Tape::watch: a leaf has floating-point elements
#include <tpx/autodiff/tape.hpp>
#include <tpx/comm/self.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto leaf(Tape<Mesh>& tape, const Values<std::int32_t, 1>& ids) { return tape.watch(ids); }
#else
auto leaf(Tape<Mesh>& tape, const Values<std::int32_t, 1>& ids) { return tape.input(ids); }
#endif

void program(Tape<Mesh>& tape, const Values<std::int32_t, 1>& ids) { leaf(tape, ids); }

int main() { return 0; }
