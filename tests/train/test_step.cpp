// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <algorithm>

#include "support/distributed.hpp"
#include "train/training.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

/// What this launch's mesh would be, with nobody on it.
auto abstract_like(const comm::Recording<comm::Abstract>& nobody, const Grid& grid) {
  return make_mesh<dp, tp>(nobody, {grid.size[0], grid.size[1]});
}

std::int64_t calls_over(const std::vector<comm::CommCall>& calls, std::string_view label) {
  return std::count_if(calls.begin(), calls.end(), [&](const comm::CommCall& c) { return c.label == label; });
}

}  // namespace

TEST_CASE("a step sends what the abstract step says, call by call") {
  for_each_mesh([&](const World& world, const auto& mesh) {
    const int dp_ranks = mesh.grid().size[0], tp_ranks = mesh.grid().size[1];
    Training training(mesh, 1.0F);
    training.step(0);
    world.log().clear();
    world.log().keep_order(true);
    training.step(1);
    const comm::CommLog counted = world.log();
    world.log().keep_order(false);

    const comm::Recording<comm::Abstract> nobody(comm::Abstract(mesh.size()));
    Training abstract(abstract_like(nobody, mesh.grid()), 1.0F);
    nobody.log().keep_order(true);
    abstract.step(0);
    CHECK(counted == nobody.log());
    CHECK(counted.calls() == nobody.log().calls());

    // What it is: on dp the gradients once, and the loss that is shown; on both together the norm.
    const std::vector<comm::CommCall> calls = counted.calls();
    std::int64_t held = 0;
    training.model().visit([&](const auto& p) { held += p.local_count(); });
    const auto is = [&](std::string_view label, std::int64_t elements, Element element) {
      return std::count(calls.begin(), calls.end(),
                        comm::CommCall{std::string(label), comm::Collective::all_reduce,
                                       label == "tp"   ? tp_ranks
                                       : label == "dp" ? dp_ranks
                                                       : mesh.size(),
                                       elements, element});
    };
    if (dp_ranks > 1) CHECK(is("dp", held, Element::f32) == 1);
    if (dp_ranks > 1) CHECK(is("dp", 1, Element::f32) == 1);
    if (dp_ranks > 1) CHECK(calls_over(calls, "dp") == (tp_ranks > 1 ? 2 : 3));
    if (mesh.size() > 1) CHECK(is(tp_ranks == 1 ? "dp" : dp_ranks == 1 ? "tp" : "dp,tp", 1, Element::f64) == 1);
    if (tp_ranks > 1) {
      const std::int64_t rows = small_batch / dp_ranks * small_gpt().context, all = rows * small_gpt().hidden;
      CHECK(is("tp", all, Element::f32) == 4 * small_gpt().layers + 2);  // blocks, embedding, output layer
      CHECK(is("tp", rows, Element::f32) == 1);                          // largest logits
      CHECK(is("tp", 2 * rows, Element::f32) == 1);                      // sums, logits of the targets
      CHECK(calls_over(calls, "tp") == 4 * small_gpt().layers + 4 + (dp_ranks == 1 ? 1 : 0));
    }
  });
}

TEST_CASE("more micro-batches cost no more reductions of the gradients") {
  for_each_mesh([&](const World& world, const auto& mesh) {
    if (mesh.grid().size[0] == 1) return;
    Training training(mesh, 1.0);
    for (const int rounds : {1, 3}) {
      world.log().clear();
      training.accumulate(0, rounds);
      CHECK(world.log().total("dp", comm::Collective::all_reduce).calls == 0);
      training.reduce();
      CHECK(world.log().total("dp", comm::Collective::all_reduce).calls == 1);
    }
  });
}

TEST_CASE("micro-batches add up, and the norm is the one-rank norm on every mesh") {
  auto alone = train_alone<double>(0.125);
  const auto norm_of = [](auto& training, int rounds) {
    training.accumulate(4, rounds);
    const auto reduced = training.reduce();
    const auto clipped = training.clip(reduced);
    double factor = 0;
    training.model().visit([&, first = true](const auto& p) mutable {
      if (first) detail::copy_to_host(p.mesh(), clipped.factor(), &factor, 1);
      first = false;
    });
    return std::pair(clipped.norm(), factor);
  };
  // Added up in plain loops from the gradients themselves.
  alone.accumulate(4);
  double squares = 0;
  alone.model().visit([&](const auto& p) {
    for (const double g : gather(gradient(p))) squares += g * g;
  });
  const double expected = std::sqrt(squares);
  REQUIRE(expected > 0.2);  // clipping has something to do
  for_each_mesh([&](const World&, const auto& mesh) {
    Training training(mesh, 1.0, 0.125);
    for (const int rounds : {1, 2, 3}) {
      const auto [norm, factor] = norm_of(training, rounds);
      CHECK(norm == doctest::Approx(rounds * expected).epsilon(1e-12));
      CHECK(factor == doctest::Approx(0.125 / (rounds * expected)).epsilon(1e-4));
      CHECK(factor < 0.125 / (rounds * expected));
    }
    Training unclipped(mesh, 1.0, 1e6);
    CHECK(norm_of(unclipped, 1).second == 1);
  });
}

TEST_CASE("after two steps nothing is allocated any more") {
  for_each_mesh([&](const World&, const auto& mesh) {
    Training training(mesh, 1.0F);
    training.losses(2);
    const std::int64_t allocations = mesh.context().pool().allocations(), peak = mesh.context().pool().peak();
    CHECK(allocations > 0);
    training.losses(5);
    CHECK(mesh.context().pool().allocations() == allocations);
    CHECK(mesh.context().pool().peak() == peak);
  });
}

TEST_CASE("the abstract step does the work that the real one does") {
  for_each_mesh([&](const World&, const auto& mesh) {
    Training training(mesh, 1.0F);
    training.step(0);
    mesh.context().reset_work();
    training.accumulate(1);
    const Work work = mesh.context().work();

    const comm::Recording<comm::Abstract> nobody(comm::Abstract(mesh.size()));
    const auto abstract_mesh = abstract_like(nobody, mesh.grid());
    Training abstract(abstract_mesh, 1.0F);
    abstract_mesh.context().reset_work();
    abstract.accumulate(1);
    CHECK(work.flops == abstract_mesh.context().work().flops);
    CHECK(work.bytes == abstract_mesh.context().work().bytes);

    // The matrices alone: 6 flops for each of their elements and character, split over all ranks.
    const GptConfig c = small_gpt();
    const std::int64_t weights = c.layers * 12 * c.hidden * c.hidden + c.vocabulary * c.hidden;
    const std::int64_t least = 6 * weights * small_batch * c.context / mesh.size();
    CHECK(work.flops >= least);
    CHECK(work.flops < least + least / 2);
  });
}
