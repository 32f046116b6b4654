// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a factory makes values, not terms of a sum
// expect: tpx: a factory makes values, not terms of a sum
#include <tpx/comm/self.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/factory.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;

#ifdef TPX_MUST_NOT_COMPILE
using Made = Partial<tp>;
#else
using Made = Replicate<tp>;
#endif

void program(const Mesh& mesh) {
  (void)redistribute<Partial<tp>>(full<float>(mesh, layout<Made>, {4, 4}, 1.0f));
}

int main() { return 0; }
