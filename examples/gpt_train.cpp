// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A character GPT, trained on real text with each layer split over tp ranks and the batch over dp ranks.
//
//   mpiexec -n 2 gpt_train                       tp=2 on the King James Bible
//   mpiexec -n 4 gpt_train --mesh dp=2,tp=2 --text FILE
//   mpiexec -n 8 gpt_train --mesh dp=2,pp=2,tp=2 --zero 1 --schedule 1f1b --micro-batches 8
//   mpiexec -n 2 gpt_train --save DIR --every 50; mpiexec -n 3 gpt_train --resume DIR
//
// The forward is written once, in tpx/nn/gpt.hpp; the collectives of the backward follow from the layouts in
// its types. At the end the example compares what was communicated with what the same code, run on an abstract
// mesh before, said it would communicate.
#include <cstdio>
#include <string>

#include "gpt/comm_report.hpp"
#include "gpt/options.hpp"
#include "gpt/progress.hpp"
#include "gpt/text.hpp"
#include "gpt/trainer.hpp"
#include "support/result.hpp"

namespace {

using namespace gpt;
using World = tpx::comm::Recording<tpx::comm::Mpi>;

/// What steps communicate, without doing them: the same code, at the place of this rank, on ranks that are not
/// here.
template <class T>
tpx::comm::CommLog predict(const Options& options, const Text& text, const std::vector<int>& sizes, int rank,
                           std::int64_t first, std::int64_t steps) {
  const tpx::comm::Recording<tpx::comm::Abstract> nobody(
      tpx::comm::Abstract(sizes[0] * sizes[1] * sizes[2], rank));
  Trainer trainer(tpx::make_mesh<dp, pp, tp>(nobody, sizes), options, text, T());
  trainer.begin_at(first);
  nobody.log().clear();
  for (std::int64_t step = first; step < first + steps; ++step) trainer.step(step);
  return nobody.log();
}

template <class T>
int train(World& world, const Options& options) {
  const bool speaks = world.rank() == 0;
  const auto mesh = tpx::make_mesh<dp, pp, tp>(world, {options.dp, options.pp, options.tp});
  const std::vector<int> sizes{mesh.template size<dp>(), mesh.template size<pp>(), mesh.template size<tp>()};
  const std::string mesh_text = (sizes[0] > 1 ? "dp=" + std::to_string(sizes[0]) + "," : "") +
                                (sizes[1] > 1 ? "pp=" + std::to_string(sizes[1]) + "," : "") +
                                "tp=" + std::to_string(sizes[2]);
  const Text text = load_text(world, options.text, options.context + 1);

  Trainer trainer(mesh, options, text, T());
  const std::int64_t parameters = trainer.parameters();
  if (speaks)
    std::printf("%lld characters of %lld kinds, %lld parameters of %s, mesh %s\n\n",
                static_cast<long long>(text.size()), static_cast<long long>(text.classes()),
                static_cast<long long>(parameters), options.precision.c_str(), mesh_text.c_str());

  const std::int64_t first = options.resume.empty() ? 0 : trainer.resume();
  if (speaks && first > 0) std::printf("going on with step %lld\n", static_cast<long long>(first + 1));
  // All steps communicate the same, but where the parameters are averaged now and then, or gathered before use:
  // in the order in which the step before used them.
  const bool all_same = options.sync_every == 1 && options.zero < 3;
  const std::int64_t predicted_steps = all_same ? 1 : options.steps - first;
  const tpx::comm::CommLog predicted = predict<T>(options, text, sizes, world.rank(), first, predicted_steps);
  world.log().clear();
  ProgressReport progress(options, first, trainer.tokens_per_step(), speaks);
  double loss_first = 0, loss_final = 0;
  for (std::int64_t step = first; step < options.steps; ++step) {
    loss_final = static_cast<double>(item(trainer.step(step)));
    if (step == first) loss_first = loss_final;
    progress.after(step, loss_final);
    if (options.save.empty() || ((step + 1) % options.every != 0 && step + 1 != options.steps)) continue;
    const tpx::comm::CommLog of_steps = world.log();  // storing is no part of a step
    trainer.save(step + 1);
    world.log() = of_steps;
  }
  const CommReport report(world.log(), options.steps - first, predicted, predicted_steps);
  const double tokens_per_s = progress.tokens_per_second(options.steps);

  const double held_out = trainer.held_out_loss();
  if (speaks) std::printf("\nheld-out loss %.4f nats a character\n", held_out);
  const std::string sample = trainer.sample(300);
  const bool as_predicted = tpx::comm::agree(world, report.as_predicted());
  if (speaks) {
    std::printf("\n%s\n", sample.c_str());
    report.print();
    std::printf("\nresult %s\n", example::Fact::braced({{"example", "gpt_train"},
                                                        {"mesh", mesh_text},
                                                        {"steps", options.steps},
                                                        {"first_step", first},
                                                        {"loss_first", loss_first},
                                                        {"loss_final", loss_final},
                                                        {"loss_heldout", held_out},
                                                        {"tokens_per_s", tokens_per_s},
                                                        {"comm", report.facts()}})
                                     .c_str());
  }
  return as_predicted ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  tpx::Environment env(argc, argv);
  return env.run([&] {
    World world(env.world());
    Options options;
    if (const auto code = read_options(argc, argv, world.rank() == 0, options)) return *code;
    return options.precision == "float" ? train<float>(world, options) : train<double>(world, options);
  });
}
