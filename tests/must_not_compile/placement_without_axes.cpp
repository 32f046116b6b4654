// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a placement names at least one axis
// expect: tpx::layout: a layout is made of Shard<dim, axes...>, Replicate<axes...>, Partial<axes...>
#include <tpx/layout/layout.hpp>

using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
using L = tpx::layout_t<tpx::Shard<0>, tpx::Replicate<tp>>;
#else
using L = tpx::layout_t<tpx::Shard<0, dp>, tpx::Replicate<tp>>;
#endif

int main() { return (void)L{}, 0; }
