// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a number is added once, not by every rank to its term
// expect: tpx: a nonlinear op does not take a Partial operand
// expect: fix<0, tpx::Invariant<tpx::axes::tp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/elementwise.hpp>
#include <tpx/ops/redistribute.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
auto summed(const Values<float, 2, Partial<tp>>& y) { return y; }
#else
auto summed(const Values<float, 2, Partial<tp>>& y) { return redistribute<Invariant<tp>>(y); }
#endif

struct PlusOne {
  template <class T>
  KOKKOS_FUNCTION T value(T x) const {
    return x + T(1);
  }
  template <class T>
  KOKKOS_FUNCTION T derivative(T) const {
    return T(1);
  }
};

void program(const Values<float, 2, Partial<tp>>& y) { elementwise(PlusOne(), summed(y)); }

int main() { return 0; }
