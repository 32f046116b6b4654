// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <tpx/train/pipeline_check.hpp>
#include <tpx/train/pipeline_picture.hpp>
#include <tpx/train/pipeline_placement.hpp>

using namespace tpx;
using Act = PipelineAction::Act;

namespace {

struct Case {
  PipelineKind kind;
  int ranks, micro_batches, chunks;
};

Case random_case(std::mt19937& random) {
  const auto up_to = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  Case c{static_cast<PipelineKind>(up_to(0, 2)), up_to(1, 12), 0, 1};
  if (c.kind == PipelineKind::interleaved) c.chunks = up_to(1, 5);
  c.micro_batches = least_micro_batches(c.kind, c.ranks) + up_to(0, 30);
  return c;
}

/// Written from the definitions of the schedules, not from the lists.
int bound(const Case& c, int rank) {
  const int all = c.micro_batches * c.chunks, after = c.ranks - rank - 1;
  if (c.kind == PipelineKind::gpipe) return all;
  if (c.kind == PipelineKind::one_f_one_b) return std::min(all, after + 1);
  const int sets = c.micro_batches / c.ranks, group = (c.micro_batches + sets - 1) / sets;
  return std::min(all, 2 * after + (c.chunks - 1) * group + 1);
}

}  // namespace

TEST_CASE("a thousand schedules: right, within their memory, and their bubble is the formula's") {
  std::mt19937 random(7);
  const PipelineDurations lasting[] = {{1, 2, 0}, {1, 1, 0}, {3, 4, 0}};
  for (int n = 0; n < 1000; ++n) {
    const Case c = random_case(random);
    CAPTURE(name(c.kind));
    CAPTURE(c.ranks);
    CAPTURE(c.micro_batches);
    CAPTURE(c.chunks);
    const PipelineDurations durations = lasting[n % 3];
    const auto s = make_pipeline_schedule(c.kind, c.ranks, c.micro_batches, c.chunks, durations);
    REQUIRE(problem_in(s) == "");
    for (int r = 0; r < c.ranks; ++r) CHECK(s.in_flight[static_cast<std::size_t>(r)] == bound(c, r));
    const PipelineTimeline line = simulate(s, durations);
    const double least = (c.chunks * c.micro_batches + c.ranks - 1) * (durations.forward + durations.backward);
    if (c.chunks == 1 || n % 3 != 2) {
      CHECK(line.total == least);
      CHECK(line.bubble_share() ==
            doctest::Approx(bubble_formula(c.ranks, c.micro_batches, c.chunks)).epsilon(1e-12));
    } else {  // ranks whose forwards and backwards do not keep step wait a little for each other's sends
      CHECK(line.total >= least);
      CHECK(line.total <= 1.02 * least);
    }
    // Whatever things take, the order stays right; and nothing is faster than without waiting.
    const PipelineTimeline slow = simulate(s, {2, 3, 0.25});
    CHECK(slow.stuck == "");
    CHECK(slow.total >= 5.0 * (c.chunks * c.micro_batches + c.ranks - 1));
  }
}

TEST_CASE("a schedule that is changed is found wrong, by rank and action") {
  std::mt19937 random(11);
  int wrong[6]{}, deadlocks = 0;
  for (int n = 0; n < 600; ++n) {
    Case c = random_case(random);
    while (c.ranks == 1) c = random_case(random);
    auto s = make_pipeline_schedule(c.kind, c.ranks, c.micro_batches, c.chunks);
    const int rank = std::uniform_int_distribution<int>(0, c.ranks - 1)(random);
    auto& mine = s.actions[static_cast<std::size_t>(rank)];
    const auto at = std::uniform_int_distribution<std::size_t>(0, mine.size() - 1)(random);
    const auto here = mine.begin() + static_cast<std::ptrdiff_t>(at);
    const int change = n % 6;
    CAPTURE(change);
    CAPTURE(detail::pipeline_place(s, rank, at));
    if (change == 0) mine.erase(here);
    if (change == 1) mine.insert(here, *here);
    if (change == 2) here->micro_batch = (here->micro_batch + 1) % c.micro_batches;
    if (change == 3) std::reverse(mine.begin(), mine.end());
    if (change == 4) here->chunk += 1;
    if (change == 5) {  // one more in flight than there is memory for
      s.in_flight[static_cast<std::size_t>(rank)] -= 1;
    }
    if (change == 2 && c.micro_batches == 1) continue;
    const std::string problem = problem_in(s);
    CAPTURE(problem);
    CHECK(problem.find("rank " + std::to_string(rank)) != std::string::npos);
    CHECK(problem.find("micro-batch") != std::string::npos);
    wrong[change] += problem.empty() ? 0 : 1;
    deadlocks += problem.find("waits for ever") != std::string::npos ? 1 : 0;
    CHECK_THROWS_AS(check(s), Error);
  }
  for (const int n : wrong) CHECK(n > 80);
  CHECK(deadlocks > 0);  // a send or receive that was taken out

  // Two ranks that each send before they receive: right with buffers, stuck without.
  PipelineSchedule s{PipelineKind::one_f_one_b, 2, 1, 2, {}, {2, 2}};
  s.actions = {{{Act::forward, 0},
                {Act::send_activation, 0},
                {Act::forward, 1},
                {Act::send_activation, 1},
                {Act::receive_gradient, 0},
                {Act::backward, 0},
                {Act::receive_gradient, 1},
                {Act::backward, 1}},
               {{Act::receive_activation, 0},
                {Act::forward, 0},
                {Act::backward, 0},
                {Act::send_gradient, 0},
                {Act::receive_activation, 1},
                {Act::forward, 1},
                {Act::backward, 1},
                {Act::send_gradient, 1}}};
  CHECK(problem_in(s) ==
        "rank 0, action 3 (send activation of micro-batch 1 to rank 1) waits for ever; "
        "rank 1, action 3 (send gradient of micro-batch 0 to rank 0) waits for ever");
  std::swap(s.actions[0][3], s.actions[0][4]);
  CHECK(problem_in(s) == "");
  s.in_flight[1] = 0;
  CHECK(problem_in(s) ==
        "rank 1, action 1 (forward of micro-batch 0) puts 1 micro-batches in flight, more than the 0 "
        "that the rank has memory for");
  s.in_flight[1] = 1;
  std::swap(s.actions[1][1], s.actions[1][2]);
  CHECK(problem_in(s) == "rank 1, action 1 (backward of micro-batch 0) comes before the forward");
  s.actions.pop_back();
  CHECK(problem_in(s).find("a list of actions and a bound for each of its ranks") != std::string::npos);
}

TEST_CASE("what a schedule needs is said where it is missing") {
  CHECK_THROWS_WITH_AS(
      make_pipeline_schedule(PipelineKind::one_f_one_b, 4, 3),
      "tpx::make_pipeline_schedule: 1f1b on 4 ranks needs at least 4 micro-batches; given were 3; "
      "gpipe takes any number",
      Error);
  CHECK_THROWS_WITH_AS(make_pipeline_schedule(PipelineKind::interleaved, 2, 1, 2),
                       doctest::Contains("at least 2"), Error);
  CHECK_THROWS_WITH_AS(make_pipeline_schedule(PipelineKind::gpipe, 2, 0), doctest::Contains("given were 0"),
                       Error);
  CHECK_THROWS_WITH_AS(make_pipeline_schedule(PipelineKind::gpipe, 2, 4, 2),
                       doctest::Contains("only interleaved"), Error);
  CHECK_THROWS_WITH_AS(make_pipeline_schedule(PipelineKind::gpipe, 0, 4), doctest::Contains("ranks = 0"),
                       Error);
  CHECK_THROWS_WITH_AS(make_pipeline_schedule(PipelineKind::gpipe, 2, 4, 1, {0, 1, 0}),
                       doctest::Contains("take time"), Error);
  CHECK_THROWS_WITH_AS(pipeline_kind("1F1B"), doctest::Contains("given was '1F1B'"), Error);
  for (const auto kind : {PipelineKind::gpipe, PipelineKind::one_f_one_b, PipelineKind::interleaved})
    CHECK(pipeline_kind(name(kind)) == kind);
}

TEST_CASE("pictures: the bubble is seen") {
  CHECK(picture(make_pipeline_schedule(PipelineKind::one_f_one_b, 2, 3)) ==
        "1f1b, 2 ranks, 3 micro-batches: bubble 25.0 %\n"
        "rank 0 |0  1  .  .  0' -  2  1' -  .  2' -  |\n"
        "rank 1 |.  0  0' -  1  1' -  2  2' -  .  .  |\n");
  CHECK(picture(make_pipeline_schedule(PipelineKind::interleaved, 2, 2, 2, {1, 1, 0}), {1, 1, 0}) ==
        "interleaved, 2 ranks, 2 chunks, 2 micro-batches: bubble 20.0 %\n"
        "rank 0 |0a  1a  0b  1b  .   0b' .   1b' 0a' 1a' |\n"
        "rank 1 |.   0a  1a  0b  0b' 1b  1b' 0a' 1a' .   |\n");
  const auto s = make_pipeline_schedule(PipelineKind::interleaved, 3, 6, 2);
  const std::string svg = svg_picture(s);
  const auto count = [&](const std::string& what) {
    int n = 0;
    for (std::size_t at = svg.find(what); at != std::string::npos; at = svg.find(what, at + 1)) ++n;
    return n;
  };
  CHECK(count("class=\"forward\"") == 3 * 6 * 2);
  CHECK(count("class=\"backward\"") == 3 * 6 * 2);
  CHECK(count("class=\"bubble\"") == 3);
  CHECK(count("<svg") == 1);
  CHECK(count("</svg>") == 1);
}

TEST_CASE("layers on stages: by cost, by hand, and what is no placement") {
  CHECK(even_layers(48, 2).describe() == "1-24,25-48");
  CHECK(even_layers(10, 4).describe() == "1-3,4-6,7-8,9-10");
  CHECK(even_layers(3, 3).describe() == "1,2,3");
  CHECK(balance_layers({1, 1, 1, 1, 1, 1}, 3, 2, 0).describe() == "1,2-4,5-6");
  CHECK(balance_layers({1, 1, 1, 1}, 2, 0, 2).describe() == "1-3,4");
  CHECK(layer_placement("1-3,4,5-8", 8, 3).describe() == "1-3,4,5-8");
  CHECK(layer_placement("1-3,4,5-8", 8, 3)[2] == LayerRange{4, 8});

  // Against all placements.
  std::mt19937 random(3);
  for (int n = 0; n < 200; ++n) {
    const int layers = 1 + n % 9, stages = 1 + static_cast<int>(random() % static_cast<unsigned>(layers));
    std::vector<double> costs;
    for (int i = 0; i < layers; ++i) costs.push_back(static_cast<double>(random() % 20) / 3);
    const auto worst = [&](const std::vector<int>& ends) {
      double largest = 0;
      for (int s = 0, i = 0; s < stages; ++s) {
        double sum = 0;
        for (; i < ends[static_cast<std::size_t>(s)]; ++i) sum += costs[static_cast<std::size_t>(i)];
        largest = std::max(largest, sum);
      }
      return largest;
    };
    double least = 1e9;
    for (unsigned cuts = 0; cuts < 1u << (layers - 1); ++cuts) {  // bit i: a stage ends after layer i
      std::vector<int> ends;
      for (int i = 0; i < layers - 1; ++i)
        if (cuts >> i & 1u) ends.push_back(i + 1);
      ends.push_back(layers);
      if (static_cast<int>(ends.size()) == stages) least = std::min(least, worst(ends));
    }
    const LayerPlacement placed = balance_layers(costs, stages);
    std::vector<int> ends;
    for (int s = 0; s < stages; ++s) ends.push_back(static_cast<int>(placed[s].last));
    CHECK(placed.layers() == layers);
    CHECK(worst(ends) <= least * (1 + 1e-9));
  }

  const auto refused = [](const std::string& text, const char* why) {
    CHECK_THROWS_WITH_AS(layer_placement(text, 8, 2), doctest::Contains(why), Error);
  };
  refused("", "'' is no range of layers");
  refused("1-4,x", "'x' is no range of layers");
  refused("1-4,5-8,", "'' is no range of layers");
  refused("0-4,5-8", "'0-4' is no range of layers");
  refused("1-4-5,6-8", "'1-4-5' is no range of layers");
  refused("1-4,6-8", "after layer 4 comes layer 5, not '6-8'");
  refused("1-4,4-8", "after layer 4 comes layer 5, not '4-8'");
  refused("4-1,5-8", "ends before it begins");
  refused("1-8", "the pipeline has 2 stages, not 1");
  refused("1-4,5-9", "the last layer is 9, and the model has 8");
  refused("1-4,5-99999999999999999999", "is no range of layers");
  CHECK_THROWS_WITH_AS(even_layers(3, 4),
                       "tpx::balance_layers: each stage has at least one layer; 4 stages, 3 layers", Error);
  CHECK_THROWS_WITH_AS(even_layers(0, 1), doctest::Contains("at least one layer"), Error);
  CHECK_THROWS_WITH_AS(balance_layers({1, -1}, 1), doctest::Contains("no negative number"), Error);
  CHECK_THROWS_WITH_AS(LayerPlacement({{0, 2}, {3, 4}}), doctest::Contains("begins where the one before ends"),
                       Error);
  CHECK_THROWS_WITH_AS(LayerPlacement({{0, 2}, {2, 2}}), doctest::Contains("at least one layer"), Error);
}
