// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a kernel whose operands are on a tape has a backward
// expect: tpx: a user's kernel whose operands are on a tape has backward(exec, x..., dy..., dx...) const
// expect: op<Twice>
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/user_op.hpp>
using namespace tpx;
using namespace tpx::axes;

struct Twice {
  static constexpr OpRule rule = op_rule("n -> n", Linearity::product, {1});
  template <class Exec, class X, class Y>
  void forward(const Exec&, const X& x, const Y& y) const {
    for (std::size_t i = 0; i < x.extent(0); ++i) y(i) = 2 * x(i);
  }
};

void program(const DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, tp>& mesh) {
  Tape tape(mesh);
  const auto x = tape.watch(detail::make_tensor<float, 1, layout_t<>>(mesh, Shape{4}));
#ifdef TPX_MUST_NOT_COMPILE
  (void)user_op(Twice{}, x);
#else
  (void)user_op(Twice{}, detach(x));
#endif
}

int main() { return 0; }
