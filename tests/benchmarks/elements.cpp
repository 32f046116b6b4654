// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What was sent beside what was predicted: steps of models on this launch's ranks, counted by the recording
// communicator over MPI and over shared memory, and the same programs on an abstract mesh: training of an MLP,
// of blocks, a GPT and a Llama, tokens that are generated, the moves of the table, a GPT whose state is split
// (ZeRO) or whose layers are (a pipeline). Exactly 1, or the difference is an error.
#include <tpx/comm/recording.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/nn/generate.hpp>
#include <tpx/nn/gpt.hpp>
#include <tpx/nn/llama.hpp>

#include "../nn/sequence_block.hpp"
#include "../train/split_training.hpp"
#include "block.hpp"
#include "mlp.hpp"

namespace tpx::benchmark {
namespace {

using axes::dp;
using axes::pp;
using axes::tp;

/// One step of each model.
template <class Mesh>
void run_models(const Mesh& mesh) {
  Mlp<Mesh>(mesh, 8, 16, 32).step();
  const BlockSize size{4, 8, 16, 4, 32};
  Block<Mesh, TransformerBlock<float, Mesh, tp>, layout_t<Shard<0, dp>>>(mesh, size).step();
  Block<Mesh, test::SequenceBlock<float, Mesh, tp>, layout_t<Shard<0, dp>, Shard<1, tp>>>(mesh, size).step();

  GptConfig config;
  config.vocabulary = 48;
  config.context = 8;
  config.layers = 2;
  config.hidden = 24;
  config.heads = 4;
  const Gpt<float, Mesh, tp> gpt(mesh, config);
  const auto ids = zeros<std::int32_t>(mesh, layout<Shard<0, dp>>, {4, config.context});
  Tape<Mesh> tape(mesh);
  backward(gpt.loss(tape.input(ids), ids));

  LlamaConfig c;
  c.vocabulary = 48;
  c.context = config.context;
  c.layers = 2;
  c.hidden = 24;
  c.heads = 4;
  c.kv_heads = 4;
  c.head_dim = 6;
  c.ffn = 32;
  const Llama<float, Mesh, TensorParallel<tp>> llama(mesh, c, RandomWeights(1));
  tape.clear();
  backward(llama.loss(tape.input(ids), ids));
  Generator generator(llama, 2, c.context);
  std::vector<std::int32_t> tokens = generator.start({{5, 17, 3}, {7}}, {});
  for (int i = 0; i < 3; ++i) tokens = generator.next(tokens, {.temperature = 0.8, .top_k = 9, .top_p = 0.9});

  // Each move of the table, forward and backward.
  tape.clear();
  const auto x = tape.watch(zeros<float>(mesh, layout<Shard<0, dp>>, {8, 12}));
  const auto moved = redistribute<Shard<1, dp>, Shard<0, tp>>(
      redistribute<Partial<dp, tp>>(redistribute<Replicate<dp>, Replicate<tp>>(redistribute<Shard<1, tp>>(x))));
  const auto y =
      redistribute<layout_t<>>(redistribute<Shard<0, tp, dp>>(redistribute<Shard<0, dp, tp>>(moved)));
  tape.template walk<float>(y.track(), 1.0F);
}

/// Elements sent under all labels.
std::int64_t elements(const comm::CommLog& log) {
  std::int64_t n = 0;
  for (const comm::CommEntry& entry : log.entries()) n += entry.elements;
  return n;
}

/// Two steps of a GPT on each way to split it over the ranks.
template <class World>
void run_trainers(const World& world) {
  const int p = world.size();
  const test::PipelinePlan whole{PipelineKind::gpipe, 2}, staged{PipelineKind::one_f_one_b, 2 * p};
  const auto train = [&](std::vector<int> sizes, const test::PipelinePlan& plan, int zero) {
    const auto mesh = make_mesh<dp, pp, tp>(world, std::move(sizes));
    test::SplitTraining training(mesh, plan, DataParallelOptions{.zero = zero, .bucket_bytes = 20'000}, 1.0F);
    training.step(0);
    training.step(1);
  };
  for (const int zero : {0, 1, 2, 3}) train({p, 1, 1}, whole, zero);
  train({1, p, 1}, staged, 1);
}

struct Counted {
  std::int64_t counted = 0, predicted = 0;
};

/// Runs a program on `world` and on as many ranks that are not here, both of which keep a log.
template <class World, class Program>
void run_both(const Run& run, const World& world, Counted& sum, const char* what, Program&& program) {
  const comm::Recording<comm::Abstract> nobody(comm::Abstract(world.size(), world.rank()));
  world.log().clear();
  program(world);
  program(nobody);
  const bool same = world.log().entries() == nobody.log().entries();
  if (largest(same ? 0 : 1, run.world.native()) != 0)
    fail(std::string("elements_counted_over_predicted: what ") + what +
         " sent differs from what was predicted");
  sum.counted += elements(world.log());
  sum.predicted += elements(nobody.log());
}

Comparison counted_over_predicted(const Run& run) {
  const comm::Recording<comm::Mpi> through_mpi(run.world.duplicate());
  const comm::Recording<comm::SharedMemory> through_memory(comm::SharedMemory::over(run.world));
  const int p = run.world.size();
  Counted sum;
  for (const std::vector<int>& sizes : {std::vector<int>{1, p}, std::vector<int>{p, 1}}) {
    const auto models = [&](const auto& world) { run_models(make_mesh<dp, tp>(world, sizes)); };
    run_both(run, through_mpi, sum, "the models through MPI", models);
    run_both(run, through_memory, sum, "the models through shared memory", models);
  }
  // Through MPI the tests of the trainer compare them.
  run_both(run, through_memory, sum, "the trainers", [](const auto& world) { run_trainers(world); });
  if (run.speaks())
    std::printf("  %lld elements were sent, %lld predicted\n", static_cast<long long>(sum.counted),
                static_cast<long long>(sum.predicted));
  return just(
      sum.counted == sum.predicted ? 1 : static_cast<double>(sum.counted) / static_cast<double>(sum.predicted));
}

constexpr Benchmark benchmarks[] = {
    {"elements_counted_over_predicted", 1, Goal::exactly, counted_over_predicted},
};

}  // namespace

std::span<const Benchmark> element_benchmarks() { return benchmarks; }

}  // namespace tpx::benchmark
