// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a factory fills at most 8 dims
// expect: tpx: a factory makes tensors of at most 8 dims
#include <tpx/comm/self.hpp>
#include <tpx/tensor/factory.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto make(const Mesh& mesh) { return zeros<float>(mesh, layout<>, {1, 1, 1, 1, 1, 1, 1, 1, 1}); }
#else
auto make(const Mesh& mesh) { return zeros<float>(mesh, layout<>, {1, 1, 1, 1, 1, 1, 1, 1}); }
#endif

void program(const Mesh& mesh) { make(mesh); }

int main() { return 0; }
