// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a user's rule is for operands of the dims that it is called with
// expect: tpx::user_op: the op's rule is for as many operands as it is called with, and for their numbers of
// dims
#include <tpx/ops/user_op.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Copy {
#ifdef TPX_MUST_NOT_COMPILE
  static constexpr OpRule rule = op_rule("n -> n", Linearity::product, {1});
#else
  static constexpr OpRule rule = op_rule("n m -> n m", Linearity::product, {2});
#endif
  template <class Exec, class X, class Y>
  void forward(const Exec&, const X&, const Y&) const {}
};

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto x = detail::make_tensor<float, 2, layout_t<Partial<tp>>>(mesh, Shape{4, 3});
  (void)user_op(Copy{}, user_op(Copy{}, x));
}
