// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program that the README begins with: what stands between the marks, word for word.

#include "support/check.hpp"
#include "support/plain.hpp"

// README: begin
#include <tpx/tpx.hpp>
using namespace tpx;
using namespace tpx::axes;

int main(int argc, char** argv) {
  Environment env(argc, argv);  // MPI and Kokkos
  return env.run([&] {
    auto mesh = make_mesh<tp>(env.world());                               // all ranks along one axis
    auto x = normal<float>(mesh, layout<>, {8, 64}, {1});                 // f32[8,64]
    auto w1 = normal<float>(mesh, layout<Shard<1, tp>>, {64, 240}, {2});  // f32[64,240@tp]
    auto w2 = normal<float>(mesh, layout<Shard<0, tp>>, {240, 64}, {3});  // f32[240@tp,64]
    auto h = gelu(matmul(redistribute<Replicate<tp>>(x), w1));            // f32[8,240@tp]
    auto y = redistribute<Invariant<tp>>(matmul(h, w2));                  // f32[8,64]{P:tp} -> all-reduce
    if (mesh.rank() == 0) std::cout << y.describe() << '\n';              // prints f32[8,64]
    // README: skip
    plain::Values want = plain::matmul(plain::values(gather(x)), plain::values(gather(w1)), 8, 64, 240);
    for (double& v : want) v = plain::gelu(v);
    want = plain::matmul(want, plain::values(gather(w2)), 8, 240, 64);
    const double difference = example::difference(gather(y), want);
    const bool ok = difference < 1e-5;
    if (example::finish("00_readme", example::sizes(mesh), ok, {{"difference", difference}}) != 0) return 1;
    // README: go on
    return 0;
  });
}
// README: end
