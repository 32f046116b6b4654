// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: uniform numbers between two others are no integers
// expect: tpx: random numbers have fractions
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using Number = std::int32_t;
#else
using Number = float;
#endif

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  (void)uniform<Number>(mesh, layout<Shard<0, tp>>, {4, 4}, RandomKey{1, 2}, 0, 10);
}
