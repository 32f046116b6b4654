// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a mesh has at most four axes
// expect: tpx::layout: a mesh has at most four axes
#include <tpx/layout/layout.hpp>

using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using L = tpx::layout_t<tpx::Shard<0, dp, pp, tp, cp, ep>>;
#else
using L = tpx::layout_t<tpx::Shard<0, dp, pp, tp, cp>>;
#endif

int main() { return (void)L{}, 0; }
