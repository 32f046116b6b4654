// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a change of layout names an axis once
// expect: tpx::layout: a mesh axis stands in one placement only, and once
// expect: axes::tp
#include <tpx/layout/layout.hpp>

using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using L = tpx::with_t<tpx::layout_t<tpx::Shard<0, dp>>, tpx::Replicate<tp>, tpx::Partial<tp>>;
#else
using L = tpx::with_t<tpx::layout_t<tpx::Shard<0, dp>>, tpx::Replicate<tp>, tpx::Partial<dp>>;
#endif

int main() { return (void)L{}, 0; }
