// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <string>
#include <vector>

#include <tpx/io/checkpoint.hpp>
#include <tpx/train/training_state.hpp>

#include "support/distributed.hpp"
#include "train/shared_folder.hpp"
#include "train/split_training.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

struct Split {
  std::vector<int> sizes;  ///< dp, pp, tp
  int zero;
  int chunks = 1;  ///< of a stage; with several the schedule is interleaved
  int ranks() const { return sizes[0] * sizes[1] * sizes[2]; }
  PipelinePlan plan() const {
    if (chunks > 1) return {PipelineKind::interleaved, 4, chunks};
    return {sizes[1] > 1 ? PipelineKind::one_f_one_b : PipelineKind::gpipe, 4, 1};
  }
  friend bool operator==(const Split&, const Split&) = default;
};

/// Calls f(mesh) on the first ranks.
template <class F>
void on_mesh(const World& all, const Split& split, F&& f) {
  CAPTURE(split.sizes[0]);
  CAPTURE(split.sizes[1]);
  CAPTURE(split.sizes[2]);
  CAPTURE(split.zero);
  CAPTURE(split.chunks);
  // A communicator of the others as well: all ranks make one together.
  const bool takes_part = all.rank() < split.ranks();
  std::vector<int> members;
  for (int r = 0; r < all.size(); ++r)
    if ((r < split.ranks()) == takes_part) members.push_back(r);
  const World group = all.subgroup(members);
  if (takes_part) f(make_mesh<dp, pp, tp>(group, split.sizes));
  all.barrier();
}

}  // namespace

TEST_CASE("what one mesh and ZeRO stage stored, every other resumes") {
  constexpr std::int64_t stored_at = 5, last = 9;
  const World all = world();
  const std::vector<double> whole = deep_losses<double>(last);
  const std::vector<double> expected(whole.begin() + stored_at, whole.end());
  const std::vector<Split> writers{{{2, 1, 2}, 1}, {{2, 2, 1}, 3, 2}, {{1, 4, 1}, 0}, {{1, 1, 1}, 0}};
  const std::vector<Split> readers{{{1, 1, 1}, 0}, {{2, 1, 1}, 3},    {{1, 2, 1}, 0},    {{3, 1, 1}, 2},
                                   {{1, 3, 1}, 0}, {{2, 1, 2}, 1},    {{2, 2, 1}, 1},    {{4, 1, 1}, 3},
                                   {{1, 1, 4}, 0}, {{2, 2, 1}, 2, 2}, {{2, 2, 1}, 3, 2}, {{1, 2, 2}, 0, 2}};
  for (const Split& writer : writers) {
    if (writer.ranks() > all.size()) continue;
    const SharedFolder folder(all);
    std::vector<double> uninterrupted;
    std::int64_t parameters = 0;
    on_mesh(all, writer, [&](const auto& mesh) {
      SplitTraining run(mesh, writer.plan(), {.zero = writer.zero, .bucket_bytes = 20'000}, 1.0);
      run.losses(0, stored_at);
      save_checkpoint(mesh, folder.path(), stored_at, run.model(), run.data());
      uninterrupted = run.losses(stored_at, last);
      CHECK(drift(uninterrupted, expected) <= 1e-10);
      // Without a tape: the loss that the next step begins with.
      const double evaluated = run.evaluate(last);
      CHECK(evaluated == doctest::Approx(static_cast<double>(item(run.step(last)))).epsilon(1e-12));
      parameters = run.parameters();
    });
    for (const Split& reader : readers) {
      if (reader.ranks() > all.size()) continue;
      on_mesh(all, reader, [&](const auto& mesh) {
        // Other buckets cut what ranks hold elsewhere, and add up the norm in another order.
        const bool same = reader == writer;
        SplitTraining run(mesh, reader.plan(), {.zero = reader.zero, .bucket_bytes = same ? 20'000 : 7'000},
                          1.0);
        Checkpoint checkpoint = newest_checkpoint(mesh, folder.path());
        load_checkpoint(mesh, checkpoint, run.model(), run.data());
        const std::vector<double> losses = run.losses(stored_at, last);
        CHECK(drift(losses, expected) <= 1e-10);
        if (same) CHECK((losses == uninterrupted));
        const std::int64_t here = run.parameters();
        if (parameters > 0) CHECK(here == parameters);  // the writer's ranks know
      });
    }
  }
}

TEST_CASE("replicas that are averaged every k steps are stored each, and resumed each or as their mean") {
  constexpr std::int64_t stored_at = 5, last = 9;  // between two averages
  const World all = world();
  const DataParallelOptions apart{.sync_every = 3};
  for (const Split& writer : {Split{{2, 1, 2}, 0}, Split{{4, 1, 1}, 0}, Split{{2, 2, 1}, 0}}) {
    if (writer.ranks() > all.size()) continue;
    const SharedFolder folder(all);
    const int replicas = writer.sizes[0];
    std::vector<double> uninterrupted, state, mean;
    on_mesh(all, writer, [&](const auto& mesh) {
      SplitTraining run(mesh, writer.plan(), apart, 1.0);
      run.losses(0, stored_at);
      save_checkpoint(mesh, folder.path(), stored_at, run.model(), run.data());
      state = mean = run.state();
      const auto& line = mesh.template communicator<dp>();
      line.all_reduce(state.data(), mean.data(), static_cast<std::int64_t>(mean.size()), Element::f64,
                      Reduction::sum);
      for (double& x : mean) x /= replicas;
      CHECK(mean != state);
      uninterrupted = run.losses(stored_at, last);
      {
        SplitTraining again(mesh, writer.plan(), apart, 1.0);
        Checkpoint checkpoint = newest_checkpoint(mesh, folder.path());
        load_checkpoint(mesh, checkpoint, again.model(), again.data());
        CHECK(again.state() == state);
        CHECK(again.losses(stored_at, last) == uninterrupted);
      }
      SplitTraining together(mesh, writer.plan(), {}, 1.0);
      Checkpoint checkpoint = newest_checkpoint(mesh, folder.path());
      load_checkpoint(mesh, checkpoint, together.model(), together.data());
      CHECK(off(together.state(), mean) <= 1e-15);
    });
    // As many replicas, each on other ranks; no replicas, or another number of them: all from the mean.
    std::vector<double> from_mean;
    for (const Split& reader : {Split{{2, 1, 1}, 0}, Split{{2, 2, 1}, 0}, Split{{1, 1, 1}, 0},
                                Split{{3, 1, 1}, 2}, Split{{1, 2, 2}, 0}}) {
      if (reader.ranks() > all.size()) continue;
      const bool same = reader.sizes[0] == replicas;
      on_mesh(all, reader, [&](const auto& mesh) {
        SplitTraining run(mesh, reader.plan(), same ? apart : DataParallelOptions{.zero = reader.zero}, 1.0);
        Checkpoint checkpoint = newest_checkpoint(mesh, folder.path());
        load_checkpoint(mesh, checkpoint, run.model(), run.data());
        const std::vector<double> losses = run.losses(stored_at, last);
        if (same) CHECK(drift(losses, uninterrupted) <= 1e-10);
        if (!same && !from_mean.empty()) CHECK(drift(losses, from_mean) <= 1e-10);
        if (!same) from_mean = losses;
      });
    }
  }
}
