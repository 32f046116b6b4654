// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <doctest/doctest.h>

#include <vector>

#include <tpx/comm/threads.hpp>
#include <tpx/train/data_parallel.hpp>

#include "train/training.hpp"

using namespace tpx;
using namespace tpx::test;

#ifdef KOKKOS_ENABLE_SERIAL

TEST_CASE_TEMPLATE("the same run with threads as ranks", T, float, double) {
  auto alone = train_alone<T>();
  const auto parameters = alone.parameters();
  const std::vector<double> losses = alone.losses(50);
  const std::vector<std::vector<int>> meshes{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 2}, {3, 1}};
  for (const auto& sizes : meshes) {
    const auto ranks = static_cast<std::size_t>(sizes[0] * sizes[1]);
    std::vector<char> same(ranks, 0);
    std::vector<std::vector<double>> here(ranks);
    comm::run_threads(static_cast<int>(ranks), [&](const comm::Threads& world) {
      const auto mesh = make_mesh<dp, tp>(world, sizes);
      Training training(mesh, T());
      const auto rank = static_cast<std::size_t>(world.rank());
      same[rank] = training.parameters() == parameters ? 1 : 0;
      here[rank] = training.losses(50);
    });
    for (std::size_t r = 0; r < ranks; ++r) {
      CAPTURE(sizes[0]);
      CAPTURE(sizes[1]);
      CAPTURE(r);
      CHECK(same[r] == 1);
      CAPTURE(drift(here[r], losses));
      CHECK(drift(here[r], losses) <= allowed_drift<T>);
    }
  }
}

TEST_CASE("each ZeRO stage on a communicator that carries out what is started at once") {
  const std::vector<double> losses = train_alone<double>().losses(20);
  for (int zero = 0; zero < 4; ++zero) {
    std::vector<std::vector<double>> here(4);
    comm::run_threads(4, [&](const comm::Threads& world) {
      const auto mesh = make_mesh<dp, tp>(world, {2, 2});
      using Model = Gpt<double, std::decay_t<decltype(mesh)>, tp>;
      Model model(mesh, small_gpt());
      DataParallel<dp, Model> data(model, {.zero = zero});
      Tape tape(mesh);
      for (std::int64_t step = 0; step < 20; ++step) {
        tape.clear();
        data.reset();
        const auto loss =
            model.loss(tape.input(small_characters(mesh, step, 0)), small_characters(mesh, step, 1));
        backward(loss, data.when_final());
        data.reduce();
        data.step(small_rate()(step), data.template clip<over<dp, tp>>(1.0));
        here[static_cast<std::size_t>(world.rank())].push_back(item(redistribute<Invariant<dp>>(detach(loss))));
      }
    });
    CAPTURE(zero);
    for (const auto& of_rank : here) CHECK(drift(of_rank, losses) <= allowed_drift<double>);
  }
}

#endif
