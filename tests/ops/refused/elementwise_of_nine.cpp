// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: an op has at most eight operands
// expect: tpx::elementwise: a function is of at most eight tensors
#include <tpx/ops/elementwise_many.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Total {
  static constexpr Linearity linearity = Linearity::sum;
  template <class... T>
  KOKKOS_FUNCTION static auto value(T... x) {
    return (x + ...);
  }
  template <int I, class T, class... More>
  KOKKOS_FUNCTION static T derivative(T, More...) {
    return T(1);
  }
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = zeros<float>(mesh, layout<Shard<1, tp>>, {8, 32});
#ifdef TPX_MUST_NOT_COMPILE
  (void)elementwise(Total{}, x, x, x, x, x, x, x, x, x);
#else
  (void)elementwise(Total{}, x, x, x, x, x, x, x, x);
#endif
}
