// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the axes that split one dim cut it the same way
// expect: tpx::layout: all axes that split one dim cut it the same way: Even, Balanced and Ragged do not mix
#include <tpx/layout/layout.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
#ifdef TPX_MUST_NOT_COMPILE
  (void)with_t<layout_t<Shard<0, dp>>, Shard<0, Balanced, tp>>{};
#else
  (void)with_t<layout_t<Shard<0, Balanced, dp>>, Shard<0, Balanced, tp>>{};
#endif
}
