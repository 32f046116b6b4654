// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What was sent beside what was predicted: steps of models on this launch's ranks, counted by the recording
// communicator, and the same programs on an abstract mesh. Exactly 1, or the difference is an error.
#include <tpx/comm/recording.hpp>
#include <tpx/nn/gpt.hpp>

#include "../nn/sequence_block.hpp"
#include "block.hpp"
#include "mlp.hpp"

namespace tpx::benchmark {
namespace {

using axes::dp;
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

  // Each move of the table, forward and backward.
  const auto x = tape.watch(zeros<float>(mesh, layout<Shard<0, dp>>, {8, 12}));
  const auto moved = redistribute<Shard<1, dp>, Shard<0, tp>>(
      redistribute<Partial<dp, tp>>(redistribute<Replicate<dp>, Replicate<tp>>(redistribute<Shard<1, tp>>(x))));
  redistribute<layout_t<>>(redistribute<Shard<0, tp, dp>>(redistribute<Shard<0, dp, tp>>(moved)));
}

/// Elements sent under all labels.
std::int64_t elements(const comm::CommLog& log) {
  std::int64_t n = 0;
  for (const comm::CommEntry& entry : log.entries()) n += entry.elements;
  return n;
}

Comparison counted_over_predicted(const Run& run) {
  std::int64_t counted = 0, predicted = 0;
  const int p = run.world.size();
  for (const std::vector<int>& sizes : {std::vector<int>{1, p}, std::vector<int>{p, 1}}) {
    const auto mesh = make_mesh_on<dp, tp>(Space(), comm::Recording<comm::Mpi>(run.world.duplicate()), sizes);
    const auto abstract = make_abstract_mesh<dp, tp>(sizes);
    run_models(mesh);
    run_models(abstract);
    const bool same = mesh.log().entries() == abstract.log().entries();
    if (largest(same ? 0 : 1, run.world.native()) != 0)
      fail("elements_counted_over_predicted: what was sent differs from what was predicted");
    counted += elements(mesh.log());
    predicted += elements(abstract.log());
  }
  if (run.speaks())
    std::printf("  %lld elements were sent, %lld predicted\n", static_cast<long long>(counted),
                static_cast<long long>(predicted));
  return just(predicted == counted ? 1 : static_cast<double>(counted) / static_cast<double>(predicted));
}

constexpr Benchmark benchmarks[] = {
    {"elements_counted_over_predicted", 1, Goal::at_most, counted_over_predicted},
};

}  // namespace

std::span<const Benchmark> element_benchmarks() { return benchmarks; }

}  // namespace tpx::benchmark
