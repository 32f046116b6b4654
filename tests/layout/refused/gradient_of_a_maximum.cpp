// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: which rank's term is the largest is not in the type, so there is no dual
// expect: tpx: a maximum or minimum over ranks has no gradient
#include <tpx/layout/layout.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
#ifdef TPX_MUST_NOT_COMPILE
  (void)dual_t<layout_t<Partial<Max, tp>>>{};
#else
  (void)dual_t<layout_t<Partial<tp>>>{};
#endif
}
