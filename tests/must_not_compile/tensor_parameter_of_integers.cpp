// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a parameter has a gradient, and is trained: it is of float or double
// expect: tpx::make_parameter: a parameter is of float or double
#include <tpx/autodiff/parameter.hpp>
#include <tpx/comm/self.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Value = Values<std::int32_t, 1>;
#else
using Value = Values<float, 1>;
#endif

auto program(const Value& value) { return make_parameter("w", value).describe(); }

int main() { return 0; }
