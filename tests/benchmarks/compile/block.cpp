// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One transformer block, forward and backward.
#include <mpi.h>

#include <Kokkos_Core.hpp>
#include <tpx/tpx.hpp>

using namespace tpx;
using namespace tpx::axes;

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const auto mesh = make_mesh<tp>(env.world());
    using Mesh = std::remove_const_t<decltype(mesh)>;
    const TransformerBlock<float, Mesh, tp> block(mesh, "block", 64, 4, 256, 1, 0.02, 0.02);
    Tape tape(mesh);
    const auto y = block(tape.watch(normal<float>(mesh, layout<>, {2, 8, 64}, {1})));
    return y.extent(0) == 2 ? 0 : 1;
  });
}
