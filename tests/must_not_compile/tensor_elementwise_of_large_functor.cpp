// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a functor travels in the record
// expect: tpx::elementwise: a functor is trivially copyable and has at most 48 bytes of state
#include <tpx/comm/self.hpp>
#include <tpx/ops/elementwise.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
constexpr int most = 13;
#else
constexpr int most = 12;
#endif

struct Polynomial {
  float coefficient[most];
  template <class T>
  KOKKOS_FUNCTION T value(T x) const {
    return coefficient[0] + coefficient[most - 1] * x;
  }
  template <class T>
  KOKKOS_FUNCTION T derivative(T) const {
    return coefficient[most - 1];
  }
};

void program(const Polynomial& p, const Values<float, 2>& x) { elementwise(p, x); }

int main() { return 0; }
