// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a functor has a derivative
// expect: tpx::elementwise: a functor comes first, and has value and derivatives
#include <tpx/comm/self.hpp>
#include <tpx/ops/elementwise.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

struct Square {
  template <class T>
  KOKKOS_FUNCTION T value(T x) const {
    return x * x;
  }
  template <class T>
  KOKKOS_FUNCTION T derivative(T x) const {
    return 2 * x;
  }
};

void program(const Values<float, 2>& x) {
#ifdef TPX_MUST_NOT_COMPILE
  elementwise([](float a) { return a * a; }, x);
#else
  elementwise(Square(), x);
#endif
}

int main() { return 0; }
