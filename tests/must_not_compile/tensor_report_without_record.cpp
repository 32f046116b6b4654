// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what was sent is known where it is recorded
// expect: tpx::report: a communicator that records says what was sent
#include <tpx/comm/recording.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/tensor/report.hpp>

using namespace tpx;
using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using Comm = comm::Self;
#else
using Comm = comm::Recording<comm::Self>;
#endif

using Mesh = DeviceMesh<Comm, Kokkos::DefaultHostExecutionSpace, tp>;

auto program(const Mesh& mesh) {
  return report(mesh, [] {}).peak;
}

int main() { return 0; }
