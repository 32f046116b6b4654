// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: how a dim is cut is said before the axes that cut it
// expect: tpx::layout: Even, Balanced and Ragged stand in front of a Shard's axes, Sum, Max and Min in front of
// expect: in_placement<tpx::Shard<0, tpx::axes::tp, tpx::Balanced>
#include <tpx/layout/layout.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
#ifdef TPX_MUST_NOT_COMPILE
  (void)layout_t<Shard<0, tp, Balanced>>{};
#else
  (void)layout_t<Shard<0, Balanced, tp>>{};
#endif
}
