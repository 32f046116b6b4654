// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a dim is counted from 0, not from the last
// expect: tpx::Shard: a dim is counted from 0, and is less than 12
// expect: Shard<-1
#include <tpx/layout/layout.hpp>

using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using L = tpx::layout_t<tpx::Shard<-1, tp>>;
#else
using L = tpx::layout_t<tpx::Shard<1, tp>>;
#endif

int main() { return (void)L{}, 0; }
