// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the pieces of an Even and of a Balanced dim need not meet
// expect: tpx: operands cut a dim the same way: Even, Balanced and Ragged pieces do not meet
#include <tpx/ops/add.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = zeros<float>(mesh, layout<Shard<0, Balanced, tp>>, {8, 4});
#ifdef TPX_MUST_NOT_COMPILE
  const auto y = zeros<float>(mesh, layout<Shard<0, tp>>, {8, 4});
#else
  const auto y = zeros<float>(mesh, layout<Shard<0, Balanced, tp>>, {8, 4});
#endif
  (void)add(x, y);
}
