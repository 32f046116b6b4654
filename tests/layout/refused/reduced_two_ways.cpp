// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a sum over dp of maxima over tp is not a maximum over tp of sums over dp
// expect: tpx::layout: a tensor is Partial by one reduction on all of its axes: sums, maxima and minima do not
// mix
#include <tpx/layout/layout.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
#ifdef TPX_MUST_NOT_COMPILE
  (void)layout<Partial<Max, tp>, Partial<dp>>;
#else
  (void)layout<Partial<Max, tp, dp>>;
#endif
}
