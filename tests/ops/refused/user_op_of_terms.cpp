// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: the one rule judges a user's op as it does all others
// expect: tpx: a nonlinear op does not take a Partial operand
// expect: op<Square>
#include <tpx/ops/redistribute.hpp>
#include <tpx/ops/user_op.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Square {
  static constexpr OpRule rule = op_rule("n -> n", Linearity::nonlinear, {1});
  template <class Exec, class X, class Y>
  void forward(const Exec&, const X& x, const Y& y) const {
    for (std::size_t i = 0; i < x.extent(0); ++i) y(i) = x(i) * x(i);
  }
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 1, layout_t<Partial<tp>>>(mesh, Shape{4});
#ifdef TPX_MUST_NOT_COMPILE
  (void)user_op(Square{}, user_op(Square{}, x));
#else
  (void)user_op(Square{}, user_op(Square{}, redistribute<Invariant<tp>>(x)));
#endif
}
