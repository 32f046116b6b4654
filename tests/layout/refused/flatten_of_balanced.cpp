// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: 2 + 1 heads of 64 are 128 + 64 columns, and 192 columns in Balanced pieces are 96 + 96
// expect: tpx::flatten: the pieces of a Balanced dim are not Balanced pieces of the flattened one
#include <tpx/ops/flatten.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
#ifdef TPX_MUST_NOT_COMPILE
  const auto x = zeros<float>(mesh, layout<Shard<1, Balanced, tp>>, {8, 3, 64});
#else
  const auto x = zeros<float>(mesh, layout<Shard<0, Balanced, tp>>, {8, 3, 64});
#endif
  (void)flatten<1, 2>(x);
}
