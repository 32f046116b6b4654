// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <tpx/train/data_parallel.hpp>

#include "support/distributed.hpp"
#include "train/split_training.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

std::vector<std::vector<int>> split_meshes(int ranks) {
  if (ranks == 4) return {{4, 1, 1}, {2, 2, 1}, {2, 1, 2}};
  if (ranks == 8) return {{2, 2, 2}};
  return {{ranks, 1, 1}};
}

}  // namespace

TEST_CASE("ZeRO 0 to 3, recomputed or not: one rank's losses, and what is sent and held as predicted") {
  const World all = world();
  const std::vector<double> expected = deep_losses<double>(30);
  for (const auto& sizes : split_meshes(all.size())) {
    const auto mesh = make_mesh<dp, pp, tp>(all, sizes);
    std::int64_t held_before = 0, peak_before = 0;
    std::vector<double> kept_losses, kept_state;
    for (int run = 0; run < 8; ++run) {
      const int zero = run / 2;
      const bool recomputes = run % 2 == 1;
      if (recomputes && sizes[0] == 4) continue;  // as for 2 and 3
      const Recompute recompute = !recomputes     ? Recompute::none
                                  : zero % 2 == 1 ? Recompute::block
                                                  : Recompute::attention;
      const PipelinePlan plan{sizes[1] > 1 ? PipelineKind::one_f_one_b : PipelineKind::gpipe,
                              sizes[1] > 1 ? 3 : 5, 1, recompute};
      CAPTURE(sizes[0]);
      CAPTURE(sizes[1]);
      CAPTURE(sizes[2]);
      CAPTURE(zero);
      CAPTURE(std::string(name(recompute)));
      const DataParallelOptions options{.zero = zero, .bucket_bytes = 20'000};
      auto& pool = mesh.context().pool();
      const std::int64_t at_first = pool.in_use();
      SplitTraining training(mesh, plan, options, 1.0);
      std::vector<double> losses;
      for (int i = 0; i < 29; ++i) losses.push_back(static_cast<double>(item(training.step(i))));
      pool.reset_peak();
      all.log().clear();
      all.log().keep_order(true);
      losses.push_back(static_cast<double>(item(training.step(29))));
      const comm::CommLog counted = all.log();
      all.log().keep_order(false);
      const std::int64_t peak = pool.peak() - at_first, held = pool.in_use() - at_first;
      CAPTURE(drift(losses, expected));
      CHECK(drift(losses, expected) <= 1e-10);

      // The same rank of a mesh that is not here.
      const comm::Recording<comm::Abstract> nobody(comm::Abstract(all.size(), all.rank()));
      const auto nowhere = make_mesh<dp, pp, tp>(nobody, sizes);
      SplitTraining abstract(nowhere, plan, options, 1.0);
      abstract.step(0);
      abstract.step(1);
      nobody.log().clear();
      nobody.log().keep_order(true);
      nowhere.context().pool().reset_peak();
      abstract.step(2);
      CHECK(counted.calls() == nobody.log().calls());
      CHECK(peak == nowhere.context().pool().peak());
      CHECK(held == nowhere.context().pool().in_use());
      if (recomputes) {
        CHECK(losses == kept_losses);
        CHECK(training.state() == kept_state);
        CHECK(held == held_before);
        CHECK(peak < peak_before);
      } else if (sizes[0] > 1 && zero > 0) {
        CHECK(held < held_before);
      }
      kept_losses = losses;
      kept_state = training.state();
      held_before = held;
      peak_before = peak;

      // Buckets are reduced while backward still runs: its collectives over tp come after the first.
      const auto calls = counted.calls();
      const auto of_bucket = std::find_if(calls.begin(), calls.end(), [](const comm::CommCall& c) {
        return c.label == "dp" &&
               (c.what == comm::Collective::all_reduce || c.what == comm::Collective::reduce_scatter);
      });
      const auto over_tp = [](const comm::CommCall& c) { return c.label == "tp"; };
      if (sizes[0] > 1 && sizes[2] > 1) CHECK(std::count_if(of_bucket, calls.end(), over_tp) > 4);

      // What is to be stored: each element of each parameter by one of the ranks, or by all.
      std::int64_t updated = 0;
      for (const auto& state : training.data().states()) updated += state.count;
      if (sizes[0] > 1)
        mesh.template communicator<dp>().all_reduce(&updated, &updated, 1, Element::i64, Reduction::sum);
      CHECK(updated == training.parameters() * (zero == 0 ? sizes[0] : 1));

      // What it is: every gradient once a step, every parameter once, or at each of its uses.
      const std::int64_t n = training.parameters();
      const auto sum = [&](comm::Collective what) { return counted.total("dp", what).elements; };
      if (sizes[0] > 1) {
        CHECK(sum(comm::Collective::all_reduce) == (zero < 2 ? n : 0) + 1 +                  // the loss,
                                                       (sizes[1] * sizes[2] == 1 ? 1 : 0));  // the norm
        CHECK(sum(comm::Collective::reduce_scatter) == (zero < 2 ? 0 : n));
        if (zero < 3) CHECK(sum(comm::Collective::all_gather) == (zero == 0 ? 0 : n));
        // Forward and backward of each micro-batch; where one turns into the other two or three buckets are
        // there.
        const std::int64_t bucket = 20'000 / 8 + 4 * deep_gpt().hidden * deep_gpt().hidden;  // at most
        const std::int64_t gathered = sum(comm::Collective::all_gather), passes = 2 * plan.micro_batches;
        if (zero == 3) CHECK(gathered >= passes * (n - 3 * bucket));
        if (zero == 3) CHECK(gathered <= passes * (n + bucket));
      }
    }
  }
}

TEST_CASE("parameters averaged every k steps: what each rank would do alone, and the mean") {
  const World all = world();
  const std::vector<int> sizes = split_meshes(all.size()).front();
  const int replicas = sizes[0];
  const auto mesh = make_mesh<dp, pp, tp>(all, sizes);
  const PipelinePlan plan{PipelineKind::gpipe, 1, 1};
  SplitTraining training(mesh, plan, {.sync_every = 3}, 1.0);

  // The same by hand: models that each see their own part of the batch.
  const auto alone = make_mesh<dp, tp>(comm::Self{}, {1, 1});
  using Model = Gpt<double, std::decay_t<decltype(alone)>, tp>;
  struct Replica {
    Model model;
    Gradients<Model> gradients{model};
    AdamW<Model> optimizer{model};
    explicit Replica(const typename Model::mesh_type& m) : model(m, deep_gpt()) {}
  };
  std::vector<std::unique_ptr<Replica>> by_hand;
  for (int r = 0; r < replicas; ++r) by_hand.push_back(std::make_unique<Replica>(alone));
  const std::int64_t share = deep_batch / replicas;
  const auto step_by_hand = [&](Replica& r, int number, std::int64_t first) {
    Tape tape(alone);
    const auto tokens = [&](std::int64_t shift) {
      return from_function<std::int32_t>(
          alone, layout<Shard<0, dp>>, {share, deep_gpt().context},
          [&](const auto& i) { return deep_token(number, first + i[0], i[1] + shift); });
    };
    r.gradients.reset();
    backward(r.model.loss(tape.input(tokens(0)), tokens(1)));
    const auto reduced = r.gradients.template reduce<over<dp>>();
    r.optimizer.step(reduced, deep_rate()(number), clip_grad_norm<over<dp, tp>>(reduced, r.model, 1.0));
  };
  const auto values = [](auto& model) {
    std::vector<double> flat;
    model.visit([&](const auto& p) {
      const auto one = local_values(value(p));
      flat.insert(flat.end(), one.begin(), one.end());
    });
    return flat;
  };
  const auto average_by_hand = [&] {
    std::vector<double> mean(values(by_hand[0]->model).size(), 0);
    for (auto& r : by_hand) {
      const auto one = values(r->model);
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += one[i] / replicas;
    }
    for (auto& r : by_hand) {
      const double* from = mean.data();
      r->model.visit([&](auto& p) {
        detail::copy_from_host(p.mesh(), from, p.data(), p.local_count());
        from += p.local_count();
      });
    }
  };

  for (int step = 0; step < 7; ++step) {
    const bool averages = step % 3 == 2;
    all.log().clear();
    training.step(step);
    const std::int64_t one_rank_dp = replicas == 1 ? 0 : 1;  // the loss
    CHECK(all.log().total("dp", comm::Collective::all_reduce).elements ==
          one_rank_dp * (1 + (averages ? training.parameters() : 0)));
    const std::vector<double> mine = values(training.stage());
    std::vector<double> first = mine;
    if (replicas > 1)
      mesh.template communicator<dp>().broadcast(first.data(), static_cast<std::int64_t>(first.size()),
                                                 Element::f64, 0);
    CHECK((mine == first) == (averages || mesh.template coordinate<dp>() == 0));
    if (sizes[1] * sizes[2] > 1) continue;  // no rank has the whole model
    for (int r = 0; r < replicas; ++r) step_by_hand(*by_hand[static_cast<std::size_t>(r)], step, r * share);
    if (averages) average_by_hand();
    CHECK(off(mine, values(by_hand[static_cast<std::size_t>(mesh.template coordinate<dp>())]->model)) <= 1e-9);
  }
}

TEST_CASE("what DataParallel refuses") {
  const auto mesh = make_mesh<dp, tp>(comm::Self{}, {1, 1});
  using Model = Gpt<double, std::decay_t<decltype(mesh)>, tp>;
  Model model(mesh, deep_gpt());
  using Data = DataParallel<dp, Model>;
  CHECK_THROWS_WITH_AS(Data(model, {.zero = 4}), doctest::Contains("zero is 0, 1, 2 or 3; given was 4"), Error);
  CHECK_THROWS_WITH_AS(Data(model, {.zero = 1, .sync_every = 2}), doctest::Contains("with zero = 0 only"),
                       Error);
  CHECK_THROWS_WITH_AS(Data(model, {.sync_every = 0}), doctest::Contains("sync_every = 0"), Error);
  Data data(model, {.zero = 3});
  CHECK_THROWS_WITH_AS(data.step(1e-3), doctest::Contains("reduce() comes before step()"), Error);
  model.visit([](auto& p) {
    CHECK_THROWS_WITH_AS((void)p.data(), doctest::Contains("gathered before it is read"), Error);
  });
  CHECK_THROWS_WITH_AS(Data(model, {}), doctest::Contains("one place at a time"), Error);
}
