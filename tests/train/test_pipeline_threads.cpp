// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <tpx/comm/threads.hpp>
#include <tpx/nn/init.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/make_mesh.hpp>
#include <tpx/train/micro_batch.hpp>
#include <tpx/train/pipeline.hpp>
#include <tpx/train/pipeline_placement.hpp>

// A stage of its own, not a GPT's, on ranks whose sends wait until they are received.

using namespace tpx;
using namespace tpx::axes;

namespace {

constexpr std::int64_t features = 3, samples = 26;
constexpr int layers = 12;

/// Layers x -> gelu(x W); the loss is the mean of w . x over the samples.
template <class Mesh>
struct Chain {
  using activation_type = DTensor<double, 2, layout_t<Shard<0, dp>>, Mesh>;
  using Weight = Parameter<double, 2, parameter_layout_t<Mesh>, Mesh>;

  Mesh mesh_;
  std::vector<std::vector<Weight>> chunks{};

  Chain(const Mesh& mesh, const PipelineSchedule& s, int rank) : mesh_(mesh) {
    const LayerPlacement placement = even_layers(layers, s.stages());
    for (int c = 0; c < s.chunks; ++c) {
      auto& chunk = chunks.emplace_back();
      const LayerRange range = placement[s.stage(rank, c)];
      for (std::int64_t i = range.first; i < range.last; ++i)
        chunk.push_back(make_weight<double>(mesh, std::to_string(i), {features, features}, 4, 1.2));
    }
  }
  const Mesh& mesh() const { return mesh_; }
  Shape activation_shape(const MicroBatches& batch, int m) const { return {batch[m].extent, features}; }
  auto enter(Tape<Mesh>& tape, const MicroBatches& batch, int m) const {
    return tape.input(from_function<double>(
        mesh_, layout<Shard<0, dp>>, {batch[m].extent, features},
        [&](const auto& i) { return std::sin(static_cast<double>(3 * (batch[m].offset + i[0]) + i[1])); }));
  }
  template <class X>
  X run(int chunk, const X& x) const {
    X y = x;
    for (const Weight& w : chunks[static_cast<std::size_t>(chunk)]) y = gelu_tanh(matmul(y, w));
    return y;
  }
  template <class X>
  auto leave(const X& x, const MicroBatches& batch, int) const {
    const auto flat = full<double>(mesh_, layout<Shard<0, dp>>, {x.extent(0), features}, 0.5);
    return scale(matmul<2>(x, flat), 1.0 / static_cast<double>(batch.samples()));  // [b@dp,h] . [b@dp,h]
  }
};

struct Result {
  double loss = 0;
  std::vector<std::vector<double>> gradients = std::vector<std::vector<double>>(layers);
};

Result run(PipelineKind kind, int ranks, int micro_batches, int chunks) {
  Result result;
  const auto schedule = make_pipeline_schedule(kind, ranks, micro_batches, chunks);
  std::vector<double> losses(static_cast<std::size_t>(ranks));
  comm::run_threads(ranks, [&](const comm::Threads& world) {
    const auto mesh = make_mesh<dp, pp>(world, {1, ranks});
    Chain stage(stage_mesh<pp>(mesh), schedule, world.rank());
    auto pipeline = make_pipeline<pp>(mesh, stage, schedule);
    int final_gradients = 0, weights = 0;
    const auto loss =
        pipeline.run(MicroBatches(samples, micro_batches), [&](ParameterState&) { ++final_gradients; });
    losses[static_cast<std::size_t>(world.rank())] = item(redistribute<Invariant<dp>>(loss));
    for (const auto& chunk : stage.chunks) {
      for (const auto& w : chunk) {
        const auto layer = static_cast<std::size_t>(std::stoi(w.track().state->name));
        result.gradients[layer] = gather(gradient(w));  // each layer is on one rank
        ++weights;
      }
    }
    // Each once, in its chunk's last backward; on one rank in the last of all, which is of the first chunk.
    if (final_gradients != (ranks > 1 ? weights : static_cast<int>(stage.chunks[0].size())))
      throw Error("final gradients");
  });
  result.loss = losses[0];
  for (const double loss : losses) CHECK(loss == result.loss);
  return result;
}

}  // namespace

#ifdef KOKKOS_ENABLE_SERIAL

TEST_CASE("schedules run on ranks whose sends wait, and find the loss and gradients of one rank") {
  const Result alone = run(PipelineKind::gpipe, 1, 1, 1);
  std::mt19937 random(5);
  for (int n = 0; n < 40; ++n) {
    const auto kind = static_cast<PipelineKind>(n % 3);
    const int ranks = 1 + static_cast<int>(random() % 6);
    const int chunks = kind == PipelineKind::interleaved
                           ? 1 + static_cast<int>(random() % static_cast<unsigned>(layers / ranks))
                           : 1;
    const int micro_batches = least_micro_batches(kind, ranks) + static_cast<int>(random() % 20);
    CAPTURE(name(kind));
    CAPTURE(ranks);
    CAPTURE(micro_batches);
    CAPTURE(chunks);
    const Result here = run(kind, ranks, micro_batches, chunks);
    CHECK(here.loss == doctest::Approx(alone.loss).epsilon(1e-12));
    double difference = 0, largest = 0;
    for (std::size_t l = 0; l < layers; ++l) {
      REQUIRE(here.gradients[l].size() == alone.gradients[l].size());
      for (std::size_t i = 0; i < here.gradients[l].size(); ++i) {
        difference = std::fmax(difference, std::fabs(here.gradients[l][i] - alone.gradients[l][i]));
        largest = std::fmax(largest, std::fabs(alone.gradients[l][i]));
      }
    }
    CHECK(largest > 1e-3);
    CHECK(difference <= 1e-13 * largest);
  }
}

#endif
