// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: targets are 32-bit class numbers
// expect: tpx::cross_entropy: targets are std::int32_t
#include <tpx/comm/self.hpp>
#include <tpx/ops/cross_entropy.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Targets = Values<std::int64_t, 2>;
#else
using Targets = Values<std::int32_t, 2>;
#endif

void program(const Values<float, 3>& logits, const Targets& targets) { cross_entropy(logits, targets); }

int main() { return 0; }
