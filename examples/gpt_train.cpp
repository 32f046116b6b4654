// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A character GPT, trained on real text with each layer split over tp ranks and the batch over dp ranks.
//
//   mpiexec -n 2 gpt_train                       tp=2 on the King James Bible
//   mpiexec -n 4 gpt_train --mesh dp=2,tp=2 --text FILE
//   mpiexec -n 8 gpt_train --mesh dp=2,pp=2,tp=2 --zero 1 --schedule 1f1b --micro-batches 8
//   mpiexec -n 8 gpt_train --mesh dp=2,tp=4 --nodes auto        ranks of one node through memory they share
//   mpiexec -n 2 gpt_train --save DIR --every 50; mpiexec -n 3 gpt_train --resume DIR
//
// The forward is written once, in tpx/nn/gpt.hpp; the collectives of the backward follow from the layouts in
// its types. At the end the example compares what was communicated, and the memory that was held, with what the
// same code, run on an abstract mesh before, said it would be.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <tpx/comm/nodes.hpp>

#include "gpt/comm_report.hpp"
#include "gpt/options.hpp"
#include "gpt/progress.hpp"
#include "gpt/text.hpp"
#include "gpt/trainer.hpp"
#include "support/result.hpp"

namespace {

using namespace gpt;
using Nodes = tpx::comm::Nodes<tpx::comm::Mpi>;
using World = tpx::comm::Recording<Nodes>;

/// All ranks, those that share memory one after the other, so that tp lies within a node if it can.
Nodes on_nodes(const tpx::comm::Mpi& all, int ranks_a_node) {
  const tpx::comm::Node node =
      ranks_a_node == 0 ? tpx::comm::this_node() : tpx::comm::node_named(all.rank() / ranks_a_node);
  return Nodes::over(by_node(all, node), node);
}

/// What training communicates and holds on a rank, without doing it.
struct Prediction {
  std::vector<tpx::comm::CommEntry> communication;
  std::int64_t peak = 0;  ///< bytes
};

/// The same code, at the place of this rank, on ranks that are not here. From its second step on a run repeats
/// itself, where parameters are averaged now and then from one average to the next.
template <class T>
Prediction predict(const Options& options, const Text& text, const std::vector<int>& sizes, int rank,
                   std::int64_t first, std::int64_t steps) {
  const tpx::comm::Recording<tpx::comm::Abstract> nobody(
      tpx::comm::Abstract(sizes[0] * sizes[1] * sizes[2], rank));
  const auto mesh = tpx::make_mesh<dp, pp, tp>(nobody, sizes);
  Trainer trainer(mesh, options, text, T());
  trainer.begin_at(first);
  const auto communicated = [&](std::int64_t begin, std::int64_t end) {
    nobody.log().clear();
    for (std::int64_t step = begin; step < end; ++step) trainer.step(step);
    return nobody.log().entries();
  };
  const std::int64_t period = options.sync_every, once = std::min(steps, period + steps % period);
  Prediction all;
  all.communication = communicated(first, first + once);
  if (steps > once) {
    const std::int64_t times = (steps - once) / period;
    for (const auto& again : communicated(first + once, first + once + period)) {
      const auto same = [&](const auto& e) {
        return e.label == again.label && e.what == again.what && e.ranks == again.ranks;
      };
      auto at = std::find_if(all.communication.begin(), all.communication.end(), same);
      if (at == all.communication.end())
        at = all.communication.insert(at, {again.label, again.what, again.ranks, 0, 0, 0});
      at->calls += times * again.calls;
      at->elements += times * again.elements;
      at->bytes += times * again.bytes;
    }
  }
  all.peak = mesh.context().pool().peak();
  return all;
}

/// Says where the layers are placed by what they cost, as --placement has it.
template <class T, class Mesh>
std::string placement_by_cost(const Mesh& mesh, const Options& options, const Text& text, bool speaks) {
  const tpx::LayerCosts costs = costs_of_layers<T>(mesh, options, text);
  const std::string placement =
      tpx::balance_layers(std::vector<double>(static_cast<std::size_t>(options.layers), costs.layer),
                          mesh.template size<pp>() * options.chunks, costs.before, costs.after)
          .describe();
  if (speaks)
    std::printf("layers placed %s: one takes %.3f ms, the embedding %.3f ms, the output layer %.3f ms\n",
                placement.c_str(), 1e3 * costs.layer, 1e3 * costs.before, 1e3 * costs.after);
  return placement;
}

double mebibytes(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

template <class T>
int train(World& world, Options options) {
  const bool speaks = world.rank() == 0;
  const auto mesh = tpx::make_mesh<dp, pp, tp>(world, {options.dp, options.pp, options.tp});
  const std::vector<int> sizes{mesh.template size<dp>(), mesh.template size<pp>(), mesh.template size<tp>()};
  const std::string mesh_text = (sizes[0] > 1 ? "dp=" + std::to_string(sizes[0]) + "," : "") +
                                (sizes[1] > 1 ? "pp=" + std::to_string(sizes[1]) + "," : "") +
                                "tp=" + std::to_string(sizes[2]);
  const Text text = load_text(world, options.text, options.context + 1);
  if (options.placement == "measured") options.placement = placement_by_cost<T>(mesh, options, text, speaks);

  auto& pool = mesh.context().pool();
  const std::int64_t held_before = pool.in_use();
  pool.reset_peak();
  Trainer trainer(mesh, options, text, T());
  const std::int64_t parameters = trainer.parameters();
  if (speaks)
    std::printf("%lld characters of %lld kinds, %lld parameters of %s, mesh %s\n\n",
                static_cast<long long>(text.size()), static_cast<long long>(text.classes()),
                static_cast<long long>(parameters), options.precision.c_str(), mesh_text.c_str());

  const std::int64_t first = options.resume.empty() ? 0 : trainer.resume();
  if (speaks && first > 0) std::printf("going on with step %lld\n", static_cast<long long>(first + 1));
  const Prediction predicted = predict<T>(options, text, sizes, world.rank(), first, options.steps - first);
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
  const CommReport report(world.log(), predicted.communication, options.steps - first);
  // Of the rank that needs most.
  std::int64_t memory[2]{pool.peak() - held_before, predicted.peak};
  if (world.size() > 1) world.all_reduce(memory, memory, 2, tpx::Element::i64, tpx::Reduction::max);
  const double tokens_per_s = progress.tokens_per_second(options.steps);

  trainer.finish();
  const double held_out = trainer.held_out_loss();
  if (speaks) std::printf("\nheld-out loss %.4f nats a character\n", held_out);
  const std::string sample = trainer.sample(300);
  const bool as_predicted = tpx::comm::agree(world, report.as_predicted());
  if (speaks) {
    const std::vector<example::Fact> memory_facts{{"peak", memory[0]}, {"predicted", memory[1]}};
    std::printf("\n%s\n", sample.c_str());
    report.print();
    std::printf("\nMemory of a rank at its peak, in MiB: %.2f, predicted %.2f\n", mebibytes(memory[0]),
                mebibytes(memory[1]));
    std::printf("\nresult %s\n", example::Fact::braced({{"example", "gpt_train"},
                                                        {"mesh", mesh_text},
                                                        {"steps", options.steps},
                                                        {"first_step", first},
                                                        {"loss_first", loss_first},
                                                        {"loss_final", loss_final},
                                                        {"loss_heldout", held_out},
                                                        {"tokens_per_s", tokens_per_s},
                                                        {"memory", memory_facts},
                                                        {"comm", report.facts()}})
                                     .c_str());
  }
  return as_predicted ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  tpx::Environment env(argc, argv);
  return env.run([&] {
    const tpx::comm::Mpi all = env.world();
    Options options;
    if (const auto code = read_options(argc, argv, all.rank() == 0, options)) return *code;
    World world(on_nodes(all, options.nodes));
    return options.precision == "float" ? train<float>(world, options) : train<double>(world, options);
  });
}
