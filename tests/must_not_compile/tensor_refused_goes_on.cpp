// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what a program does with what was refused makes no further error
// expect: tpx: Invariant mixes with Invariant only
#include <functional>
#include <vector>

#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/reduce.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/host_copy.hpp>
#include <tpx/tensor/report.hpp>

using namespace tpx;
using namespace tpx::axes;

using Mesh = DeviceMesh<comm::Self, Kokkos::DefaultHostExecutionSpace, dp, tp>;
template <class T, int N, class... Placements>
using Values = DTensor<T, N, layout_t<Placements...>, Mesh>;

#ifdef TPX_MUST_NOT_COMPILE
using X = Values<float, 2>;
#else
using X = Values<float, 2, Replicate<tp>>;
#endif
using Y = Values<float, 2, Shard<1, tp>>;

Y product(const X& x, const Y& w) { return matmul(x, w); }

std::vector<float> program(Tape<Mesh>& tape, const X& x, const Y& w) {
  const Y y = matmul(x, w);
  const auto z = matmul(x, w);
  const auto parameter = make_parameter("w", zeros<float>(z.mesh(), layout<>, {z.extent(0)}));
  gather(value(parameter));
  const auto watched = tape.watch(matmul(x, w));
  backward(sum(watched), std::function<void(ParameterState&)>());
  tape.gradient(watched);
  picture(z);
  return gather(z);
}

int main() { return 0; }
