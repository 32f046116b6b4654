// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a gradient has a layout, of which a placement is a part
// expect: tpx::dual_t: what has a dual is a layout: dual_t<layout_t<Shard<0, dp>>>
// expect: given<tpx::Shard<0, tpx::axes::tp>
#include <tpx/layout/layout.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
#ifdef TPX_MUST_NOT_COMPILE
  (void)dual_t<Shard<0, tp>>{};
#else
  (void)dual_t<layout_t<Shard<0, tp>>>{};
#endif
}
