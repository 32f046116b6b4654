// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <algorithm>
#include <string>
#include <vector>

#include <tpx/comm/abstract.hpp>
#include <tpx/ops/elementwise.hpp>
#include <tpx/ops/reduce.hpp>
#include <tpx/train/layer_costs.hpp>

#include "support/distributed.hpp"
#include "train/pipeline_training.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

/// Meshes <dp, pp, tp> of a launch.
std::vector<std::vector<int>> pipeline_meshes(int ranks) {
  if (ranks == 4) return {{1, 4, 1}, {1, 2, 2}, {2, 2, 1}};
  if (ranks == 8) return {{2, 2, 2}};
  return {{1, ranks, 1}};
}

/// Those that recompute come after the same one without.
std::vector<PipelinePlan> plans(int stages) {
  const int several = std::max(stages, 5);
  return {{PipelineKind::gpipe, 1, 1},
          {PipelineKind::gpipe, 5, 1},
          {PipelineKind::gpipe, 5, 1, Recompute::attention},
          {PipelineKind::one_f_one_b, several, 1},
          {PipelineKind::one_f_one_b, several, 1, Recompute::block},
          {PipelineKind::interleaved, stages, 2},
          {PipelineKind::interleaved, several, 2},
          {PipelineKind::interleaved, several, 2, Recompute::attention}};
}

}  // namespace

TEST_CASE(
    "thirty losses of every schedule, recomputed or not, are one rank's, and each rank sends as predicted") {
  const World all = world();
  const std::vector<double> expected = deep_losses<double>(30);
  CHECK(expected.back() < 0.8 * expected.front());  // it learns
  for (const auto& sizes : pipeline_meshes(all.size())) {
    CAPTURE(sizes[0]);
    CAPTURE(sizes[1]);
    CAPTURE(sizes[2]);
    const auto mesh = make_mesh<dp, pp, tp>(all, sizes);
    std::vector<double> kept;
    for (const PipelinePlan& plan : plans(sizes[1])) {
      CAPTURE(name(plan.kind));
      CAPTURE(plan.micro_batches);
      CAPTURE(std::string(name(plan.recompute)));
      PipelineTraining training(mesh, plan, 1.0);
      all.log().clear();
      all.log().keep_order(true);
      std::vector<double> losses{static_cast<double>(item(training.step(0)))};
      const comm::CommLog counted = all.log();
      all.log().keep_order(false);
      for (int i = 1; i < 30; ++i) losses.push_back(static_cast<double>(item(training.step(i))));
      CAPTURE(drift(losses, expected));
      CHECK(drift(losses, expected) <= 1e-10);
      if (plan.recompute != Recompute::none) CHECK(losses == kept);
      kept = losses;

      // The same rank of a mesh that is not here.
      const comm::Recording<comm::Abstract> nobody(comm::Abstract(all.size(), all.rank()));
      PipelineTraining abstract(make_mesh<dp, pp, tp>(nobody, sizes), plan, 1.0);
      nobody.log().clear();
      nobody.log().keep_order(true);
      abstract.step(0);
      CHECK(counted.calls() == nobody.log().calls());

      // What it is along pp: each border of the stages here, each sample once there and once back.
      const PipelineSchedule& s = training.pipeline().schedule();
      const int here = mesh.coordinate<pp>(), last = s.ranks - 1;
      const std::int64_t activations = deep_batch / sizes[0] * deep_gpt().context * deep_gpt().hidden;
      const std::int64_t after = s.ranks == 1 ? 0 : s.chunks - (here == last ? 1 : 0);
      const std::int64_t before = s.ranks == 1 ? 0 : s.chunks - (here == 0 ? 1 : 0);
      CHECK(counted.total("pp", comm::Collective::send).elements == (after + before) * activations);
      CHECK(counted.total("pp", comm::Collective::recv).elements == (after + before) * activations);
      CHECK(counted.total("pp", comm::Collective::send).calls == (after + before) * plan.micro_batches);
      const bool tied = s.ranks > 1 && (here == 0 || here == last);
      CHECK(counted.total("pp", comm::Collective::send_recv).elements ==
            (tied ? deep_gpt().vocabulary / sizes[2] * deep_gpt().hidden : 0));
      CHECK(counted.total("pp", comm::Collective::broadcast).elements == (s.ranks > 1 ? 1 : 0));
      CHECK(counted.total("dp", comm::Collective::all_reduce).calls ==
            (sizes[0] > 1 ? 2 : 0));  // gradients, loss
      CHECK(training.pipeline().peak_in_flight() == s.in_flight[static_cast<std::size_t>(here)]);
    }
  }
}

TEST_CASE("in float too") {
  const World all = world();
  const std::vector<double> expected = deep_losses<float>(30);
  for (const auto& sizes : pipeline_meshes(all.size())) {
    const auto mesh = make_mesh<dp, pp, tp>(all, sizes);
    for (const PipelinePlan& plan : plans(sizes[1])) {
      CAPTURE(sizes[0]);
      CAPTURE(sizes[1]);
      CAPTURE(sizes[2]);
      CAPTURE(name(plan.kind));
      CAPTURE(plan.micro_batches);
      CAPTURE(std::string(name(plan.recompute)));
      PipelineTraining training(mesh, plan, 1.0F);
      CHECK(drift(training.losses(30), expected) <= 1e-4);
    }
  }
}

TEST_CASE("layers placed by measured cost: the output layer of many words takes layers from the last stage") {
  const World all = world();
  for (const auto& sizes : pipeline_meshes(all.size())) {
    const int stages = sizes[1];
    const auto mesh = make_mesh<dp, pp, tp>(all, sizes);
    GptConfig config = deep_gpt();
    config.vocabulary = config.classes = 6000;
    config.layers = 1;
    using Stage = PipelineGpt<double, decltype(stage_mesh<pp>(mesh)), Shard<0, dp>, tp>;
    const Stage whole(stage_mesh<pp>(mesh), config, make_pipeline_schedule(PipelineKind::gpipe, 1, 1),
                      even_layers(1, 1), 0);
    const auto batch =
        make_token_batch<Shard<0, dp>>(whole.mesh(), MicroBatches(deep_batch, 1), config.context,
                                       [](std::int64_t i, std::int64_t at) { return deep_token(0, i, at); });
    const LayerCosts costs = measure_layers(mesh, whole, batch);
    CAPTURE(costs.layer);
    CAPTURE(costs.before);
    CAPTURE(costs.after);
    CHECK(costs.layer > 0);
    CHECK(costs.before > 0);
    CHECK(costs.after > costs.layer);
    const LayerPlacement placed =
        balance_layers(std::vector<double>(10, costs.layer), stages, costs.before, costs.after);
    CAPTURE(placed.describe());
    if (stages > 1) CHECK(placed[stages - 1].size() < even_layers(10, stages)[stages - 1].size());
    const PipelinePlan plan{PipelineKind::one_f_one_b, stages, 1, Recompute::none, placed.describe()};
    CHECK(drift(PipelineTraining(mesh, plan, 1.0).losses(30), deep_losses<double>(30)) <= 1e-10);
    for (const double mine : {costs.layer, costs.before, costs.after}) {  // every rank places alike
      double largest = mine, least = mine;
      if (all.size() > 1) {
        all.all_reduce(&mine, &largest, 1, Element::f64, Reduction::max);
        all.all_reduce(&mine, &least, 1, Element::f64, Reduction::min);
      }
      CHECK(least == largest);
    }
  }
}

TEST_CASE("send and receive are ops: what goes over comes back as a gradient") {
  const World all = world();
  const int p = all.size();
  if (p == 1) return;
  const auto mesh = make_mesh<dp, pp>(all, {1, p});
  const auto stage = stage_mesh<pp>(mesh);
  const int here = mesh.coordinate<pp>();
  // y = 2^(p-1) x over the ranks, loss = sum of squares
  Tape tape(stage);
  const Shape shape{3, 4};
  const auto x0 = from_function<double>(stage, layout<Shard<0, dp>>, {3, 4},
                                        [](const auto& i) { return static_cast<double>(1 + 4 * i[0] + i[1]); });
  const auto x =
      here == 0 ? tape.watch(x0) : receive<pp, double, 2, layout_t<Shard<0, dp>>>(mesh, tape, shape, here - 1);
  CHECK_THROWS_WITH_AS((void)send<pp>(mesh, x0, here), doctest::Contains("another rank of the axis"), Error);
  CHECK_THROWS_WITH_AS((void)send<pp>(mesh, x0, p), doctest::Contains("another rank of the axis"), Error);
  if (here + 1 < p) {
    backward(send<pp>(mesh, scale(x, 2), here + 1));
  } else {
    const auto loss = sum<0, 1>(multiply(x, x));
    const double factor = std::pow(4.0, p - 1);
    CHECK(item(redistribute<Invariant<dp>>(detach(loss))) == factor * 650);  // 1 + 4 + ... + 144
    backward(loss);
  }
  if (here > 0) return;
  const std::vector<double> dx = gather(tape.gradient(x));
  for (std::size_t i = 0; i < dx.size(); ++i)
    CHECK(dx[i] == 2 * std::pow(4.0, p - 1) * static_cast<double>(i + 1));
}

TEST_CASE("what does not fit is said on every rank") {
  const World all = world();
  const int p = all.size();
  const auto mesh = make_mesh<dp, pp, tp>(all, {1, p, 1});
  using Stage = PipelineGpt<double, decltype(stage_mesh<pp>(mesh)), Shard<0, dp>, tp>;
  const auto stage_of = [&](const PipelineSchedule& s, const LayerPlacement& placement) {
    return Stage(stage_mesh<pp>(mesh), deep_gpt(), s, placement, mesh.coordinate<pp>());
  };
  const auto schedule = make_pipeline_schedule(PipelineKind::gpipe, p, 2);
  CHECK_THROWS_WITH_AS(stage_of(schedule, even_layers(10, p + 1)), doctest::Contains("the pipeline"), Error);
  CHECK_THROWS_WITH_AS(stage_of(schedule, even_layers(11, p)), doctest::Contains("is of 11 layers"), Error);
  auto stage = stage_of(schedule, even_layers(10, p));
  CHECK_THROWS_WITH_AS(make_pipeline<pp>(mesh, stage, make_pipeline_schedule(PipelineKind::gpipe, p + 1, 2)),
                       doctest::Contains("as many ranks as the axis pp has"), Error);
  auto broken = schedule;
  broken.actions[0].pop_back();
  CHECK_THROWS_WITH_AS(make_pipeline<pp>(mesh, stage, broken), doctest::Contains("rank "), Error);
  CHECK_THROWS_WITH_AS(MicroBatches(12, 5, 4), doctest::Contains("12 samples, 5 micro-batches, 4 ranks"),
                       Error);
  CHECK_THROWS_WITH_AS(MicroBatches(13, 2, 4), doctest::Contains("13 samples, 4 ranks"), Error);
  const MicroBatches five(12, 5);
  std::int64_t next = 0;
  double weight = 0;
  for (int m = 0; m < 5; ++m) {
    CHECK(five[m].offset == next);
    next += five[m].extent;
    weight += five.weight(m);
  }
  CHECK(next == 12);
  CHECK(weight == doctest::Approx(1).epsilon(1e-15));
  CHECK(five[0].extent == 3);
}
