// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: ids are 32-bit
// expect: tpx::embedding: ids are std::int32_t
#include <tpx/comm/self.hpp>
#include <tpx/ops/embedding.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Ids = Values<std::int64_t, 2>;
#else
using Ids = Values<std::int32_t, 2>;
#endif

void program(const Ids& ids, const Values<float, 2>& table) { embedding(ids, table); }

int main() { return 0; }
