// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: 3 x 64 columns of a fused QKV cut in two are not heads any more
// expect: tpx::unflatten: a Balanced dim may be cut within a factor
#include <tpx/ops/flatten.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
#ifdef TPX_MUST_NOT_COMPILE
  const auto qkv = zeros<float>(mesh, layout<Shard<1, Balanced, tp>>, {8, 192});
  (void)unflatten<1>(qkv, {3, 64});
#else
  const auto qkv = zeros<float>(mesh, layout<Shard<1, Balanced, tp>>, {8, 3, 64});
  (void)unflatten<2>(qkv, {4, 16});
#endif
}
