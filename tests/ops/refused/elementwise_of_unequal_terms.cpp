// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a function of three that is no sum takes none of them as terms
// expect: tpx: a nonlinear op does not take a Partial operand
// expect: operand<2, tpx::Layout<tpx::Partial<tpx::axes::tp>
#include <tpx/ops/elementwise_many.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct MultiplyAdd {
  template <class T>
  KOKKOS_FUNCTION static T value(T x, T y, T z) {
    return x * y + z;
  }
  template <int I, class T>
  KOKKOS_FUNCTION static T derivative(T x, T y, T) {
    return I == 0 ? y : I == 1 ? x : T(1);
  }
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 1, layout_t<Replicate<tp>>>(mesh, Shape{4});
  const auto terms = detail::make_tensor<float, 1, layout_t<Partial<tp>>>(mesh, Shape{4});
#ifdef TPX_MUST_NOT_COMPILE
  const auto z = terms;
#else
  const auto z = redistribute<Replicate<tp>>(terms);
#endif
  (void)elementwise(MultiplyAdd{}, elementwise(MultiplyAdd{}, x, x, z), x, x);
}
