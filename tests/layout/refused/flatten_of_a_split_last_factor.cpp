// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a rank's part of each of {gate, up} is no contiguous part of both
// expect: tpx::flatten: of the dims that become one only the first may be split
#include <tpx/ops/flatten.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
#ifdef TPX_MUST_NOT_COMPILE
  const auto w = zeros<float>(mesh, layout<Shard<2, tp>>, {8, 2, 16});
#else
  const auto w = zeros<float>(mesh, layout<Shard<1, tp>>, {8, 2, 16});
#endif
  (void)flatten<1, 2>(w);
}
