// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <tpx/comm/self.hpp>
#include <tpx/train/calibrate.hpp>
#include <tpx/train/micro_batch.hpp>
#include <tpx/train/pipeline_check.hpp>
#include <tpx/train/planner.hpp>

#include "io/scratch.hpp"

using namespace tpx;
using axes::dp;
using axes::tp;

namespace {

GptConfig small() {
  GptConfig config;
  config.vocabulary = 96;
  config.context = 32;
  config.layers = 6;
  config.hidden = 48;
  config.heads = 12;
  return config;
}

/// A machine of round numbers.
Cluster round_cluster() {
  Cluster c;
  c.name = "round";
  c.ranks_per_node = 4;
  c.memory = 1e12;
  c.rates["matmul"] = RateTable(1e9);
  c.rates["stream"] = RateTable(1e9);
  c.node = {1e-6, RateTable(1e9)};
  c.network = {1e-5, RateTable(1e8)};
  return c;
}

}  // namespace

TEST_CASE("the parts of a model add up to the model, on every tensor axis") {
  for (const int ranks : {1, 2, 3, 4}) {
    CAPTURE(ranks);
    const std::int64_t samples = 2;
    const GptParts parts = gpt_parts(small(), ranks, samples);
    const detail::AbstractPasses whole = detail::abstract_passes(small(), small().layers, ranks, samples);
    const auto sum = [](const PassWork& pass, std::int64_t times) {
      std::int64_t flops = 0, bytes = 0, elements = 0, calls = 0;
      for (const Launch& l : pass.launches) flops += l.work.flops, bytes += l.work.bytes;
      for (const comm::CommCall& c : pass.calls) elements += c.elements, ++calls;
      return std::vector<std::int64_t>{times * flops, times * bytes, times * elements, times * calls};
    };
    const auto check_sum = [&](const PassWork& block, const PassWork& ends, const PassWork& all) {
      const auto b = sum(block, small().layers), e = sum(ends, 1), a = sum(all, 1);
      for (std::size_t i = 0; i < a.size(); ++i) CHECK(b[i] + e[i] == a[i]);
    };
    check_sum(parts.block_forward, parts.ends_forward, whole.forward);
    check_sum(parts.block_backward, parts.ends_backward, whole.backward);
    CHECK(small().layers * parts.block_parameters + parts.ends_parameters == whole.parameters);
    CHECK(small().layers * parts.block_saved + parts.ends_saved == whole.saved);
    CHECK(parts.block_forward.calls.size() == (ranks > 1 ? 2 : 0));
    CHECK(parts.activation == 4 * samples * 32 * 48);
  }
}

TEST_CASE("collectives take a ring's volume and a tree's latency on the link that their ranks have") {
  const Cluster c = round_cluster();
  using comm::Collective;
  CHECK(detail::collective_time(c, Collective::all_reduce, 1e6, 1, 1) == 0);
  CHECK(detail::collective_time(c, Collective::all_reduce, 1e6, 4, 1) ==
        doctest::Approx(2 * 2 * 1e-6 + 1.5e-3));
  CHECK(detail::collective_time(c, Collective::all_gather, 1e6, 2, 2) == doctest::Approx(1e-6 + 0.5e-3));
  CHECK(detail::collective_time(c, Collective::send, 1e6, 2, 4) == doctest::Approx(1e-5 + 1e-2));
  // Eight ranks in two nodes: four ways out of each. One of each node: one way.
  CHECK(detail::collective_time(c, Collective::reduce_scatter, 1e6, 8, 1) ==
        doctest::Approx(3e-5 + 0.875e6 / 4e8));
  CHECK(detail::collective_time(c, Collective::reduce_scatter, 1e6, 8, 4) ==
        doctest::Approx(3e-5 + 0.875e6 / 1e8));

  const RateTable rates({{1e2, 1e6}, {1e4, 1e8}});
  CHECK(rates.at(1) == 1e6);
  CHECK(rates.at(1e3) == doctest::Approx(1e7));
  CHECK(rates.at(1e9) == 1e8);
}

TEST_CASE("a step is its parts: bubble by the formula, ZeRO shards memory, recomputation trades it for time") {
  GptConfig config = small();
  config.vocabulary = 12;  // next to nothing beside the blocks
  config.layers = 12;
  CostModel model({.model = config, .batch = 48}, round_cluster());
  for (const int stages : {1, 2, 3, 4, 6, 12}) {
    const ParallelPlan plan{.pp = stages, .micro_batch = 1};
    const StepCost cost = model.cost(plan);
    CHECK(cost.seconds == doctest::Approx(cost.compute + cost.update + cost.communication() + cost.bubble));
    const double share = cost.bubble / (cost.seconds - cost.update);
    CHECK(share == doctest::Approx((stages - 1.0) / (48 + stages - 1)).epsilon(0.15));
  }
  const StepCost plain = model.cost({.dp = 4, .micro_batch = 4});
  double before = plain.memory;
  for (const int zero : {1, 2, 3}) {
    const StepCost cost = model.cost({.dp = 4, .micro_batch = 4, .zero = zero});
    const GptParts& parts = model.parts(1, 4);
    const double n = static_cast<double>(12 * parts.block_parameters + parts.ends_parameters);
    // 8 bytes of state, 4 of the gradient, 4 of the value, in memory that is rounded up. Of the gradients those
    // of two layers stay in a step of three backwards, of the values those of three.
    if (zero == 1) CHECK(before - cost.memory == doctest::Approx(8 * n * 0.75).epsilon(0.15));
    if (zero > 1) CHECK(before - cost.memory <= 4.6 * n * 0.75);
    if (zero == 3)
      CHECK(before - cost.memory > 4 * n * 0.75 - 3 * 4.6 * static_cast<double>(parts.block_parameters));
    CHECK(cost.data_comm >= plain.data_comm * 0.999);
    before = cost.memory;
  }
  const StepCost some = model.cost({.dp = 4, .micro_batch = 4, .recompute = Recompute::attention});
  const StepCost again = model.cost({.dp = 4, .micro_batch = 4, .recompute = Recompute::block});
  CHECK(some.memory < plain.memory);
  CHECK(again.memory < some.memory);
  CHECK(some.compute > plain.compute * 1.05);
  CHECK(again.compute > plain.compute * 1.2);
  CHECK(again.compute < plain.compute * 1.4);
  // Of a block its input stays; its forward runs again with all that it communicates.
  const GptParts &kept = model.parts(2, 4), &input = model.parts(2, 4, Recompute::block);
  CHECK(input.block_saved == input.activation);
  CHECK(input.block_backward.launches.size() ==
        kept.block_backward.launches.size() + kept.block_forward.launches.size());
  CHECK(input.block_backward.calls.size() == 4);
  CHECK(model.parts(2, 4, Recompute::attention).block_backward.calls.size() == 3);

  TrainingJob hidden = model.job();
  hidden.overlap = true;
  CHECK(CostModel(hidden, round_cluster()).cost({.dp = 4, .micro_batch = 4}).data_comm < plain.data_comm / 2);
  // 24 B s l h^2 and a sixth of s over h more, three times and four; 6 B s h V.
  CHECK(counted_flops(model.job(), false) ==
        doctest::Approx(72.0 * 48 * 32 * 12 * 48 * 48 * (1 + 32.0 / 288) + 6.0 * 48 * 32 * 48 * 12));
}

TEST_CASE(
    "the bubble of every schedule, of what a chunk of layers does on the abstract mesh, is the formula's") {
  const Cluster cluster = round_cluster();
  GptConfig config = small();
  for (const Recompute recompute : {Recompute::none, Recompute::attention, Recompute::block}) {
    config.recompute = recompute;
    const GptParts parts = gpt_parts(config, 2, 1);
    const PipelineDurations chunk{detail::pass_time(cluster, parts.block_forward, 1).total(),
                                  detail::pass_time(cluster, parts.block_backward, 1).total(), 0};
    CHECK(chunk.backward > 1.5 * chunk.forward);
    for (const int ranks : {2, 3, 4, 8}) {
      for (const int micro_batches : {8, 24}) {
        const auto share = [&](PipelineKind kind, int chunks) {
          return simulate(make_pipeline_schedule(kind, ranks, micro_batches, chunks, chunk), chunk)
              .bubble_share();
        };
        const double formula = bubble_formula(ranks, micro_batches);
        CHECK(share(PipelineKind::gpipe, 1) == doctest::Approx(formula).epsilon(1e-9));
        CHECK(share(PipelineKind::one_f_one_b, 1) == doctest::Approx(formula).epsilon(1e-9));
        CHECK(share(PipelineKind::interleaved, 3) ==
              doctest::Approx(bubble_formula(ranks, micro_batches, 3)).epsilon(0.05));
      }
    }
  }
}

TEST_CASE("a plan is out exactly where the library refuses it") {
  CostModel model({.model = small(), .batch = 11}, round_cluster());
  int legal = 0, refused = 0;
  for (ParallelPlan p; p.dp <= 13; p.dp += 4) {
    for (p.pp = 1; p.pp <= 7; ++p.pp) {
      for (const int tp_ranks : {1, 4, 5}) {
        for (p.micro_batch = 1; p.micro_batch <= 4; ++p.micro_batch) {
          for (int kind = 0; kind < 3; ++kind) {
            for (p.chunks = 1; p.chunks <= 3; ++p.chunks) {
              p.tp = tp_ranks;
              p.schedule = static_cast<PipelineKind>(kind);
              bool runs = true;
              try {
                check(small(), p.tp);
                const MicroBatches parts(11, p.micro_batches(11));
                const auto s = make_pipeline_schedule(p.schedule, p.pp, parts.count(), p.chunks);
                (void)even_layers(small().layers, s.stages());
                // What a rank computes with at once, along a Balanced dp.
                CHECK((parts[0].extent + p.dp - 1) / p.dp <= p.micro_batch);
              } catch (const Error&) {
                runs = false;
              }
              CHECK(model.complaint(p).empty() == runs);
              ++(runs ? legal : refused);
            }
          }
        }
      }
    }
  }
  CHECK(legal > 100);
  CHECK(refused > 100);
}

TEST_CASE("schedules are priced by their bubble, what they keep and what they send") {
  GptConfig config = small();
  config.layers = 12;
  const Cluster cluster = round_cluster();
  CostModel model({.model = config, .batch = 48}, cluster);
  const auto cost = [&](PipelineKind kind, int chunks) {
    return model.cost({.pp = 4, .micro_batch = 1, .schedule = kind, .chunks = chunks});
  };
  const StepCost plain = cost(PipelineKind::one_f_one_b, 1), all = cost(PipelineKind::gpipe, 1),
                 chunked = cost(PipelineKind::interleaved, 3);
  const GptParts& parts = model.parts(1, 1);
  CHECK(all.seconds == plain.seconds);
  CHECK(all.memory - plain.memory > 40 * 3 * static_cast<double>(parts.block_saved));  // 48 in flight, not 4
  // What goes over four borders is no shorter in chunks, and the rest of the bubble is a third.
  const auto over = [&](comm::Collective what, double bytes) {
    return detail::collective_time(cluster, what, bytes, 2, 1);
  };
  const double each = over(comm::Collective::send, static_cast<double>(parts.activation));
  const double table = over(comm::Collective::send_recv, 4.0 * 96 * 48);
  CHECK(plain.pipeline_comm == doctest::Approx(2 * 48 * each + table));
  CHECK(chunked.pipeline_comm == doctest::Approx(3 * 2 * 48 * each + table));
  CHECK(chunked.bubble - 6 * each == doctest::Approx((plain.bubble - 6 * each) / 3));
  // 2 x 3 + 2 x 4 + 1 chunks of a layer where 4 stages of 3 were.
  CHECK(chunked.memory - plain.memory == doctest::Approx(3.0 * static_cast<double>(parts.block_saved)));
  const auto made = make_pipeline_schedule(PipelineKind::interleaved, 4, 48, 3);
  CHECK(made.in_flight == std::vector<int>{15, 13, 11, 9});

  // The rank with most samples: of 48 in 10 parts it has 1 of each where 5 share them, 5 or 4 where it is
  // alone.
  const auto compute = [&](std::int64_t batch, int ranks, std::int64_t samples) {
    return CostModel({.model = config, .batch = batch}, cluster)
        .cost({.dp = ranks, .micro_batch = samples})
        .compute;
  };
  CHECK(compute(48, 5, 1) == doctest::Approx(compute(48, 6, 1) * 10 / 8));
  CHECK(compute(48, 1, 5) == doctest::Approx(8 * compute(5, 1, 5) + 2 * compute(4, 1, 4)));
  CHECK(compute(48, 64, 1) == doctest::Approx(compute(48, 48, 1)));
}

TEST_CASE("a search looks at each mesh once, best first, and says why the others are out") {
  Cluster cluster = round_cluster();
  CostModel model({.model = small(), .batch = 24}, cluster);
  const auto all = search_meshes(model, 24);
  std::set<std::tuple<int, int, int>> seen;
  double last = 0;
  bool out = false;
  for (const MeshOutcome& m : all) {
    CHECK(m.plan.ranks() == 24);
    CHECK(seen.insert({m.plan.dp, m.plan.pp, m.plan.tp}).second);
    CHECK((m.fits() || !m.out.empty()));
    CHECK(!(out && m.fits()));
    out = out || !m.fits();
    if (!m.fits()) continue;
    CHECK(m.cost.seconds >= last);
    last = m.cost.seconds;
    CHECK(model.complaint(m.plan).empty());
    for (const int zero : {0, 1, 2, 3}) {
      ParallelPlan other = m.plan;
      other.zero = zero;
      if (model.complaint(other).empty()) CHECK(model.cost(other).seconds >= m.cost.seconds);
    }
  }
  CHECK(seen.size() == 30);  // ordered factorisations of 24 into three
  const auto reason = [&](ParallelPlan p) { return model.complaint(p); };
  CHECK(reason({.tp = 24}) == "each rank of the tensor axis has a head; heads = 12, ranks = 24");
  CHECK(reason({.tp = 8}) == "heads are a multiple of the tensor axis; heads = 12, ranks = 8");
  CHECK(reason({.pp = 8}) == "each stage has at least one layer; 8 stages, 6 layers");
  CHECK(reason({.pp = 2, .chunks = 2}) ==
        "only interleaved takes more than one chunk a rank; 1f1b was given 2");
  CHECK(reason({.dp = 6, .pp = 6}) ==
        "1f1b on 6 ranks needs at least 6 micro-batches; given were 4; gpipe takes any number");
  CHECK(reason({.micro_batch = 0}) == "a rank has a sample at once");
  CHECK(reason({.zero = 4}) == "zero is 0, 1, 2 or 3");

  cluster.memory = all.front().cost.memory / 1000;
  CostModel tight({.model = small(), .batch = 24}, cluster);
  CHECK(search_meshes(tight, 4).front().out.find("needs ") == 0);

  // Amdahl: what the speedup says of the serial share gives the speedup back.
  for (const bool weak : {false, true}) {
    const auto points = scaling({.model = small(), .batch = 24}, round_cluster(), {1, 2, 4, 8}, weak);
    REQUIRE(points.size() == 4);
    CHECK(points.front().speedup == 1);
    for (const ScalingPoint& p : points)
      if (p.serial_share > 0)
        CHECK(1 / (p.serial_share + (1 - p.serial_share) / p.ranks) == doctest::Approx(p.speedup));
  }
}

TEST_CASE("this machine, measured: every op of a step has a rate, and a prediction comes of it") {
  const Cluster here = calibrate<float>(comm::Self());
  for (const char* op :
       {"tpx::matmul", "tpx::matmul_bwd", "tpx::attention", "tpx::attn_bwd", "tpx::add", "tpx::adamw"})
    CHECK(here.rate(op).at(1e6) > 1e6);
  CostModel model({.model = small(), .batch = 8}, here);
  const double seconds = model.cost({.micro_batch = 8}).seconds;
  CHECK(seconds > 1e-5);
  CHECK(seconds < 10);
  // What it has no memory for is out: 1e12 parameters.
  CHECK(here.memory > 1e6);
  GptConfig large = small();
  large.layers = 1000;
  large.hidden = 9216;
  CostModel beyond({.model = large, .batch = 1}, here);
  CHECK(search_meshes(beyond, 1).front().out.find("needs ") == 0);
}

TEST_CASE("a cluster's file: what it has, and what is refused with its line") {
  const std::string good =
      "name = two\nranks_per_node = 2  # comment\nmemory = 1e9\nrate.matmul = 1e2:1e6 1e4:1e8\n\n"
      "rate.stream = 5e9\nnode.latency = 1e-6\nnode.bandwidth = 1e9\n";
  const test::Scratch scratch;
  const Cluster c = read_cluster(scratch.write("good", good));
  CHECK(c.name == "two");
  CHECK(c.ranks_per_node == 2);
  CHECK(c.rate("matmul").at(1e3) == doctest::Approx(1e7));
  CHECK(c.network.bandwidth.at(1) == 1e9);  // as in the node

  const auto refused = [&](const std::string& more, const std::string& words) {
    TPX_CHECK_SAYS(read_cluster(scratch.write("refused", more)), words);
  };
  refused(good + "colour = red\n", "line 9: the value is a positive number: 'colour = red'");
  refused(good + "colour = 1\n", "the key is unknown");
  refused(good + "memory = 2\n", "the key is there twice");
  refused(good + "peak\n", "a line is 'key = value'");
  refused(good + "peak = nan\n", "the value is a positive number");
  refused(good + "rate.x = 1:2:3\n", "points size:rate");
  refused("name = a\n", "has no rate.matmul");
  TPX_CHECK_SAYS(read_cluster("/nosuch"), "'/nosuch' cannot be opened");
}
