// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what is needed whole has its name in the text
// expect: tpx::user_op: the text of the op's rule is its operands
#include <tpx/ops/user_op.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Rows {
#ifdef TPX_MUST_NOT_COMPILE
  static constexpr OpRule rule = op_rule("n k -> n", Linearity::nonlinear, {2}, "kk");
#else
  static constexpr OpRule rule = op_rule("n k -> n", Linearity::nonlinear, {2}, "k");
#endif
  template <class Exec, class X, class Y>
  void forward(const Exec&, const X& x, const Y& y) const {
    for (std::size_t i = 0; i < y.extent(0); ++i) y(i) = x(i, i);
  }
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  (void)user_op(Rows{}, detail::make_tensor<float, 2, layout_t<Shard<0, tp>>>(mesh, Shape{4, 4}));
}
