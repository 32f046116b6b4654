// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/core/error.hpp>

namespace tpx {

/// The order in which the ranks of a pipeline work on micro-batches.
///
///   gpipe         all forwards, then all backwards: every micro-batch is in flight at once
///   one_f_one_b   as soon as the pipeline is full, a backward after each forward (PipeDream-flush)
///   interleaved   one_f_one_b on v chunks of layers a rank, which are v p stages: a bubble v times shorter
///
/// @see    arXiv:1811.06965; arXiv:2006.09503; arXiv:2104.04473, section 2.2
enum class PipelineKind : unsigned char { gpipe, one_f_one_b, interleaved };

constexpr const char* name(PipelineKind kind) {
  switch (kind) {
    case PipelineKind::gpipe:
      return "gpipe";
    case PipelineKind::one_f_one_b:
      return "1f1b";
    case PipelineKind::interleaved:
      return "interleaved";
  }
  return "?";
}

/// The schedule of that name.  @throws tpx::Error where there is none
inline PipelineKind pipeline_kind(std::string_view text) {
  for (const PipelineKind kind : {PipelineKind::gpipe, PipelineKind::one_f_one_b, PipelineKind::interleaved})
    if (text == name(kind)) return kind;
  fail("tpx::pipeline_kind: a schedule is gpipe, 1f1b or interleaved; given was '" + std::string(text) + "'");
}

/// One thing that a rank does. Chunk c of rank r is stage c p + r of the whole pipeline; activations go from a
/// stage to the next, gradients back. `chunk` is the acting rank's own: whose value is computed, sent or
/// awaited.
struct PipelineAction {
  enum class Act : unsigned char {
    forward,
    backward,
    send_activation,
    receive_activation,
    send_gradient,
    receive_gradient
  };

  Act act = Act::forward;
  int micro_batch = 0;
  int chunk = 0;

  friend bool operator==(const PipelineAction&, const PipelineAction&) = default;
};

/// What each rank of a pipeline does, in order. Only data: it is made for any number of ranks, here or not,
/// checked (pipeline_check.hpp), drawn (pipeline_picture.hpp) and run (pipeline.hpp).
struct PipelineSchedule {
  PipelineKind kind = PipelineKind::gpipe;
  int ranks = 1;
  int chunks = 1;
  int micro_batches = 1;
  std::vector<std::vector<PipelineAction>> actions;  ///< of each rank
  /// Of each rank: most forwards, of a chunk each, whose backward is still to come.
  std::vector<int> in_flight;

  int stages() const { return ranks * chunks; }
  int stage(int rank, int chunk) const { return chunk * ranks + rank; }

  /// The stage at the other end of a send or receive, which may be on the same rank only where there is one.
  int stage_beside(int rank, const PipelineAction& a) const {
    using Act = PipelineAction::Act;
    const bool next = a.act == Act::send_activation || a.act == Act::receive_gradient;
    return stage(rank, a.chunk) + (next ? 1 : -1);
  }
  int peer(int rank, const PipelineAction& a) const { return stage_beside(rank, a) % ranks; }
};

/// How long things take, in any unit, the same on every rank.
struct PipelineDurations {
  double forward = 1;   ///< of one chunk and micro-batch
  double backward = 2;  ///< the same; twice the multiplications
  double transfer = 0;  ///< both ranks are busy with it
};

namespace detail {

/// Ranges of micro-batches that pass a chunk together: as many as there are whole sets of p, of sizes that
/// differ by one at most, so that none is smaller than p and no rank waits for the ring to come around.
inline std::vector<std::pair<int, int>> pipeline_groups(int ranks, int micro_batches) {
  const int groups = std::max(1, micro_batches / ranks);
  std::vector<std::pair<int, int>> all;
  for (int g = 0, first = 0; g < groups; ++g) {
    const int size = micro_batches / groups + (g < micro_batches % groups ? 1 : 0);
    all.emplace_back(first, first + size);
    first += size;
  }
  return all;
}

/// The size of the first group.
inline int first_pipeline_group(int ranks, int micro_batches) {
  const int groups = std::max(1, micro_batches / ranks);
  return (micro_batches + groups - 1) / groups;
}

/// The forwards of a rank before its first one that a backward follows.
inline int pipeline_warm_up(PipelineKind kind, int ranks, int micro_batches, int chunks, int rank) {
  const int all = micro_batches * chunks, after = ranks - rank - 1;
  if (kind == PipelineKind::gpipe) return all;
  if (kind == PipelineKind::one_f_one_b) return std::min(after, all);
  return std::min(2 * after + (chunks - 1) * first_pipeline_group(ranks, micro_batches), all);
}

/// Forwards and backwards of a rank in order: `warm_up` forwards, then one forward and one backward in turn,
/// then the backwards that are left.
inline std::vector<PipelineAction> pipeline_computations(const PipelineSchedule& s, int rank) {
  using Act = PipelineAction::Act;
  const auto groups = s.kind == PipelineKind::interleaved
                          ? pipeline_groups(s.ranks, s.micro_batches)
                          : std::vector<std::pair<int, int>>{{0, s.micro_batches}};
  std::vector<PipelineAction> forward, backward, all;
  for (const auto& [first, last] : groups) {
    for (int c = 0; c < s.chunks; ++c) {
      for (int m = first; m < last; ++m) {
        forward.push_back({Act::forward, m, c});
        backward.push_back({Act::backward, m, s.chunks - 1 - c});
      }
    }
  }
  const auto warm_up =
      static_cast<std::size_t>(pipeline_warm_up(s.kind, s.ranks, s.micro_batches, s.chunks, rank));
  for (std::size_t i = 0; i < forward.size() + warm_up; ++i) {
    if (i < forward.size()) all.push_back(forward[i]);
    if (i >= warm_up) all.push_back(backward[i - warm_up]);
  }
  return all;
}

/// Puts the sends and receives between the computations, by running them: a value goes over as soon as both
/// ranks are between two computations. All ranks keep the order of one run, so synchronous sends cannot
/// block each other.
inline void add_pipeline_transfers(PipelineSchedule& s,
                                   const std::vector<std::vector<PipelineAction>>& computations,
                                   const PipelineDurations& durations) {
  using Act = PipelineAction::Act;
  struct Transfer {
    bool gradient;
    int micro_batch, from, to;  // stages
  };
  const auto ranks = static_cast<std::size_t>(s.ranks);
  const auto at = [&](bool gradient, int micro_batch, int stage) {
    return (static_cast<std::size_t>(gradient) * static_cast<std::size_t>(s.micro_batches) +
            static_cast<std::size_t>(micro_batch)) *
               static_cast<std::size_t>(s.stages()) +
           static_cast<std::size_t>(stage);
  };
  std::vector<char> arrived(at(true, s.micro_batches - 1, s.stages() - 1) + 1,
                            0);  // at a stage, for its computation
  for (int m = 0; m < s.micro_batches; ++m) arrived[at(false, m, 0)] = arrived[at(true, m, s.stages() - 1)] = 1;
  std::vector<std::size_t> next(ranks, 0);
  std::vector<std::optional<double>> busy_until(ranks);
  std::vector<Transfer> waiting;
  for (double now = 0;;) {
    for (std::size_t r = 0; r < ranks; ++r) {
      if (!busy_until[r] || *busy_until[r] > now) continue;
      busy_until[r].reset();
      const PipelineAction& done = computations[r][next[r]++];
      const int stage = s.stage(static_cast<int>(r), done.chunk);
      const bool gradient = done.act == Act::backward;
      const int to = gradient ? stage - 1 : stage + 1;
      if (to < 0 || to == s.stages()) continue;
      if (s.ranks == 1) arrived[at(gradient, done.micro_batch, to)] = 1;
      if (s.ranks > 1) waiting.push_back({gradient, done.micro_batch, stage, to});
    }
    std::erase_if(waiting, [&](const Transfer& t) {
      const auto from = static_cast<std::size_t>(t.from % s.ranks),
                 to = static_cast<std::size_t>(t.to % s.ranks);
      if (busy_until[from] || busy_until[to]) return false;
      s.actions[from].push_back(
          {t.gradient ? Act::send_gradient : Act::send_activation, t.micro_batch, t.from / s.ranks});
      s.actions[to].push_back(
          {t.gradient ? Act::receive_gradient : Act::receive_activation, t.micro_batch, t.to / s.ranks});
      arrived[at(t.gradient, t.micro_batch, t.to)] = 1;
      return true;
    });
    std::optional<double> soonest;
    for (std::size_t r = 0; r < ranks; ++r) {
      if (!busy_until[r] && next[r] < computations[r].size()) {
        const PipelineAction& todo = computations[r][next[r]];
        const bool gradient = todo.act == Act::backward;
        if (arrived[at(gradient, todo.micro_batch, s.stage(static_cast<int>(r), todo.chunk))] != 0) {
          s.actions[r].push_back(todo);
          busy_until[r] = now + (gradient ? durations.backward : durations.forward);
        }
      }
      if (busy_until[r] && (!soonest || *busy_until[r] < *soonest)) soonest = busy_until[r];
    }
    if (!soonest) return;
    now = *soonest;
  }
}

}  // namespace detail

/// The fewest micro-batches that a schedule takes: gpipe any, the others as many as there are ranks, because
/// they go over to one forward, one backward when the pipeline is full, and with fewer it never is.
constexpr int least_micro_batches(PipelineKind kind, int ranks) {
  return kind == PipelineKind::gpipe ? 1 : ranks;
}

/// Most forwards of a chunk each whose backward is still to come, on a rank at once: those before its first
/// backward, after which each backward ends one and each forward begins one.
inline int most_in_flight(PipelineKind kind, int ranks, int micro_batches, int chunks, int rank) {
  return std::min(detail::pipeline_warm_up(kind, ranks, micro_batches, chunks, rank) + 1,
                  micro_batches * chunks);
}

/// @throws tpx::Error naming the numbers, where there is no such schedule
inline void check_pipeline(PipelineKind kind, int ranks, int micro_batches, int chunks) {
  const auto rule = [](bool fits, const std::string& sentence) {
    if (!fits) fail("tpx::make_pipeline_schedule: " + sentence);
  };
  rule(ranks >= 1 && chunks >= 1, "a pipeline has at least one rank and one chunk of layers a rank; ranks = " +
                                      std::to_string(ranks) + ", chunks = " + std::to_string(chunks));
  rule(chunks == 1 || kind == PipelineKind::interleaved,
       std::string("only interleaved takes more than one chunk a rank; ") + name(kind) + " was given " +
           std::to_string(chunks));
  rule(micro_batches >= least_micro_batches(kind, ranks),
       std::string(name(kind)) + " on " + std::to_string(ranks) + " ranks needs at least " +
           std::to_string(least_micro_batches(kind, ranks)) + " micro-batches; given were " +
           std::to_string(micro_batches) + (kind == PipelineKind::gpipe ? "" : "; gpipe takes any number"));
}

/// The schedule for `ranks` ranks of `chunks` chunks of layers each.
///
/// Chunks are taken in groups of p micro-batches, or a few more where m is no multiple of p.
///
/// @param  durations  the order of the transfers is made for these; it is a right one for any. Where forward
///                    and backward take the same time, or backward twice as long, no time is lost in it
/// @pre    chunks == 1 except for interleaved; micro_batches >= least_micro_batches(kind, ranks)
/// @post   problem_in(schedule) is empty
/// @throws tpx::Error naming the numbers
inline PipelineSchedule make_pipeline_schedule(PipelineKind kind, int ranks, int micro_batches, int chunks = 1,
                                               const PipelineDurations& durations = {}) {
  check_pipeline(kind, ranks, micro_batches, chunks);
  if (!(durations.forward > 0 && durations.backward > 0 && durations.transfer >= 0))
    fail("tpx::make_pipeline_schedule: forwards and backwards take time, and transfers no negative one");
  PipelineSchedule s{kind, ranks, chunks, micro_batches, {}, {}};
  s.actions.resize(static_cast<std::size_t>(ranks));
  std::vector<std::vector<PipelineAction>> computations;
  for (int r = 0; r < ranks; ++r) {
    computations.push_back(detail::pipeline_computations(s, r));
    s.in_flight.push_back(most_in_flight(kind, ranks, micro_batches, chunks, r));
  }
  detail::add_pipeline_transfers(s, computations, durations);
  return s;
}

}  // namespace tpx
