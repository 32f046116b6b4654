// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a table has rows and columns
// expect: tpx::embedding: the table is [vocabulary, columns]
#include <tpx/comm/self.hpp>
#include <tpx/ops/embedding.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using Table = Values<float, 3>;
#else
using Table = Values<float, 2>;
#endif

void program(const Values<std::int32_t, 2>& ids, const Table& table) { embedding(ids, table); }

int main() { return 0; }
