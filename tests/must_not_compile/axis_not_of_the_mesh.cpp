// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a placement names axes of the mesh
// expect: tpx::layout: a placement names only axes that the mesh has
// expect: axes::cp
#include <tpx/layout/layout.hpp>

using namespace tpx::axes;

#ifdef TPX_MUST_NOT_COMPILE
constexpr tpx::Spec spec = tpx::spec_v<tpx::layout_t<tpx::Shard<0, cp>>, tpx::AxisList<dp, tp>>;
#else
constexpr tpx::Spec spec = tpx::spec_v<tpx::layout_t<tpx::Shard<0, tp>>, tpx::AxisList<dp, tp>>;
#endif

int main() { return spec == tpx::Spec{}; }
