// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is computed from parameters off the tape does not mix with tensors on it
// expect: tpx: an operand was computed from parameters off the tape, which would hide their gradients
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/matmul.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, tp>;
using Value = DTensor<float, 2, layout_t<>, Mesh>;
using Weight = Parameter<float, 2, layout_t<>, Mesh>;

void program(Tape<Mesh>& tape, const Value& x, const Weight& w) {
  const auto a = matmul(tape.input(x), w);
#ifdef TPX_MUST_NOT_COMPILE
  const auto b = matmul(x, w);
#else
  const auto b = detach(matmul(x, w));
#endif
  const auto y = add(a, b);
  add(y, y);
}

int main() { return 0; }
