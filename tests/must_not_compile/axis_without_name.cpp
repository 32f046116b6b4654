// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an axis has a static name
// expect: tpx::layout: an axis is an empty struct with a static name
// expect: rows
#include <tpx/layout/layout.hpp>

using namespace tpx::axes;

struct rows {};
struct columns {
  static constexpr char name[] = "columns";
};

#ifdef TPX_MUST_NOT_COMPILE
using L = tpx::layout_t<tpx::Shard<0, rows>>;
#else
using L = tpx::layout_t<tpx::Shard<0, columns>>;
#endif

int main() { return (void)L{}, 0; }
