// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A GPT split three ways: the batch over dp, the layers over pp, each layer over tp, and the optimizer's state
// over dp again. The losses are those of one rank.

#include <tpx/tpx.hpp>
#include <tpx/train/gpt_trainer.hpp>

#include "support/check.hpp"

using namespace tpx;
using namespace tpx::axes;

std::vector<double> train(const comm::Mpi& world, const std::vector<int>& sizes, int steps) {
  // What comes at a position of a sample: a rule with exceptions to it.
  const auto token = [](int step, std::int64_t sample, std::int64_t at) {
    return static_cast<std::int32_t>((7 * sample + 3 * at + at * at % 5 + 5 * step) % 23);
  };
  std::vector<double> losses;
  // README: begin
  auto mesh = make_mesh<dp, pp, tp>(world, sizes);  // {2, 2, 2} on 8 ranks
  GptConfig config{.vocabulary = 24, .context = 16, .layers = 4, .hidden = 24, .heads = 12};
  auto trainer = make_gpt_trainer<double>(mesh, config, {.batch = 12, .micro_batches = 4, .data = {.zero = 1}});
  for (int step = 0; step < steps; ++step) {
    auto loss = trainer.step(0.01, [&](auto sample, auto at) { return token(step, sample, at); });  // f64[]
    losses.push_back(item(loss));
  }
  // README: end
  return losses;
}

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Mpi world = env.world();
    const int two = world.size() % 2 == 0 ? 2 : 1, four = world.size() % 4 == 0 ? 2 : 1;
    const std::vector<int> sizes{four, two, world.size() / two / four};
    const std::vector<double> losses = train(world, sizes, 20);
    const int myself[]{world.rank()};
    const double difference = example::difference(losses, train(world.subgroup(myself), {1, 1, 1}, 20));
    const bool ok = difference < 1e-10 && losses.back() < 0.8 * losses.front();
    return example::finish("09_train_3d", "dp,pp,tp", ok,
                           {{"sizes", sizes}, {"loss_first", losses.front()}, {"loss_final", losses.back()}});
  });
}
