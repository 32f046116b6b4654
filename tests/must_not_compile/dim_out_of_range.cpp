// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a dim is counted from 0 and is less than 12
// expect: tpx::Shard: a dim is counted from 0, and is less than 12
// expect: Shard<12
#include <tpx/layout/layout.hpp>

using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using L = tpx::layout_t<tpx::Shard<12, tp>>;
#else
using L = tpx::layout_t<tpx::Shard<11, tp>>;
#endif

int main() { return (void)L{}, 0; }
