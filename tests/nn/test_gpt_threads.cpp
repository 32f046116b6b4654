// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/threads.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "gpt_case.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

#ifdef KOKKOS_ENABLE_SERIAL

TEST_CASE("a GPT whose ranks are threads: loss and every gradient") {
  const std::vector<std::vector<int>> meshes{{1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2}};
  for (const auto& sizes : meshes) {
    const int ranks = sizes[0] * sizes[1];
    std::vector<double> loss_off(static_cast<std::size_t>(ranks), 1), off(static_cast<std::size_t>(ranks), 1);
    comm::run_threads(ranks, [&](const comm::Threads& world) {
      GptCase c;
      const auto mesh = make_mesh<dp, tp>(world, sizes);
      Gpt<double, std::decay_t<decltype(mesh)>, tp> model(mesh, c.config);
      c.prepare(model);
      Tape tape(mesh);
      const auto loss = model.loss(tape.input(c.tokens(mesh, GptCase::id)), c.tokens(mesh, GptCase::target));
      backward(loss);
      const auto me = static_cast<std::size_t>(world.rank());
      loss_off[me] = std::fabs(item(redistribute<Invariant<dp>>(detach(loss))) - c.loss) / c.loss;
      off[me] = gradients_off(gradients_of(model), c.parameters.gradient);
    });
    for (std::size_t r = 0; r < off.size(); ++r) {
      CAPTURE(sizes[0]);
      CAPTURE(sizes[1]);
      CAPTURE(r);
      CHECK(loss_off[r] <= nn_tolerance);
      CHECK(off[r] <= nn_tolerance);
    }
  }
}

#endif
