// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <tpx/train/pipeline_schedule.hpp>

namespace tpx {

/// "backward of micro-batch 3", "send activation of micro-batch 0, chunk 1, to rank 2".
inline std::string describe(const PipelineSchedule& s, int rank, const PipelineAction& a) {
  using Act = PipelineAction::Act;
  const char* const what[] = {"forward",       "backward",        "send activation", "receive activation",
                              "send gradient", "receive gradient"};
  std::string text =
      std::string(what[static_cast<int>(a.act)]) + " of micro-batch " + std::to_string(a.micro_batch);
  if (s.chunks > 1) text += ", chunk " + std::to_string(a.chunk);
  if (a.act == Act::forward || a.act == Act::backward) return text;
  const bool sends = a.act == Act::send_activation || a.act == Act::send_gradient;
  return text + (s.chunks > 1 ? ", " : " ") + (sends ? "to" : "from") + " rank " +
         std::to_string(s.peer(rank, a));
}

/// When each action of a schedule begins and ends, where a send lasts until it is received.
struct PipelineTimeline {
  struct Span {
    double begin = 0, end = 0;
    PipelineAction action{};
  };
  std::vector<std::vector<Span>> spans;  ///< of each rank, in order
  double total = 0;
  std::string stuck;  ///< where not all ranks come to their end: who waits for what

  /// The share of the ranks' time in which they compute nothing.
  double bubble_share() const {
    double busy = 0;
    for (const auto& rank : spans)
      for (const Span& s : rank)
        if (s.action.act == PipelineAction::Act::forward || s.action.act == PipelineAction::Act::backward)
          busy += s.end - s.begin;
    return 1 - busy / (total * static_cast<double>(spans.size()));
  }
};

/// The share of a pipeline's time that is a bubble where all stages take the same time and transfers none.
///
///   m v (f + b) of work a rank,  a bubble of (p - 1) (f + b),  f and b of one chunk:  (p - 1) / (v m + p - 1)
///
/// which for v = 1 is (p - 1) / (m + p - 1). Against the work, and of layers split into v chunks, the bubble
/// is (p - 1) / m divided by v.
/// @see    arXiv:2104.04473, section 2.2
inline double bubble_formula(int ranks, int micro_batches, int chunks = 1) {
  return (ranks - 1.0) / (static_cast<double>(chunks) * micro_batches + ranks - 1.0);
}

namespace detail {

inline std::string pipeline_place(const PipelineSchedule& s, int rank, std::size_t index) {
  const PipelineAction& a = s.actions[static_cast<std::size_t>(rank)][index];
  return "rank " + std::to_string(rank) + ", action " + std::to_string(index) + " (" + describe(s, rank, a) +
         ")";
}

/// What is wrong with one rank's list by itself.
inline std::string problem_in_rank(const PipelineSchedule& s, int rank) {
  using Act = PipelineAction::Act;
  using Done = std::tuple<Act, int, int>;
  std::set<Done> done;
  int flying = 0;
  const auto& mine = s.actions[static_cast<std::size_t>(rank)];
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const PipelineAction& a = mine[i];
    if (a.micro_batch < 0 || a.micro_batch >= s.micro_batches || a.chunk < 0 || a.chunk >= s.chunks)
      return "rank " + std::to_string(rank) + ", action " + std::to_string(i) +
             ": there is no such micro-batch or chunk: " + std::to_string(a.micro_batch) + ", " +
             std::to_string(a.chunk);
    const std::string here = pipeline_place(s, rank, i);
    const int stage = s.stage(rank, a.chunk);
    const bool first = stage == 0, last = stage == s.stages() - 1, alone = s.ranks == 1;
    const bool forward = a.act == Act::forward, backward = a.act == Act::backward;
    const bool beyond = (first && (a.act == Act::receive_activation || a.act == Act::send_gradient)) ||
                        (last && (a.act == Act::send_activation || a.act == Act::receive_gradient));
    if (beyond || (alone && !forward && !backward)) return here + ": there is nobody at the other end";
    const auto has = [&](Act act, int chunk) { return done.count({act, a.micro_batch, chunk}) > 0; };
    if (!done.insert({a.act, a.micro_batch, a.chunk}).second) return here + " comes twice";
    std::string missing;
    if (forward && !first && !(alone ? has(Act::forward, a.chunk - 1) : has(Act::receive_activation, a.chunk)))
      missing = "the activation that it works on";
    if (backward && !has(Act::forward, a.chunk)) missing = "the forward";
    if (backward && !last && !(alone ? has(Act::backward, a.chunk + 1) : has(Act::receive_gradient, a.chunk)))
      missing = missing.empty() ? "the gradient that it works on" : missing;
    if (a.act == Act::send_activation && !has(Act::forward, a.chunk)) missing = "the forward that makes it";
    if (a.act == Act::send_gradient && !has(Act::backward, a.chunk)) missing = "the backward that makes it";
    if (!missing.empty()) return here + " comes before " + missing;
    flying += forward ? 1 : backward ? -1 : 0;
    if (flying > s.in_flight[static_cast<std::size_t>(rank)])
      return here + " puts " + std::to_string(flying) + " micro-batches in flight, more than the " +
             std::to_string(s.in_flight[static_cast<std::size_t>(rank)]) + " that the rank has memory for";
  }
  for (int c = 0; c < s.chunks; ++c) {
    for (int m = 0; m < s.micro_batches; ++m) {
      for (const Act act : {Act::forward, Act::backward})
        if (done.count({act, m, c}) == 0)
          return "rank " + std::to_string(rank) + ": " + describe(s, rank, {act, m, c}) + " never comes";
    }
  }
  return {};
}

}  // namespace detail

/// Runs a schedule in thought: each rank does its actions in order, and a send and its receive begin together,
/// when both ranks have come to them.
inline PipelineTimeline simulate(const PipelineSchedule& s, const PipelineDurations& durations = {}) {
  using Act = PipelineAction::Act;
  PipelineTimeline line;
  line.spans.resize(static_cast<std::size_t>(s.ranks));
  std::vector<double> clock(static_cast<std::size_t>(s.ranks), 0.0);
  const auto do_next = [&](int rank, double begin, double time) {
    auto& spans = line.spans[static_cast<std::size_t>(rank)];
    spans.push_back({begin, begin + time, s.actions[static_cast<std::size_t>(rank)][spans.size()]});
    clock[static_cast<std::size_t>(rank)] = begin + time;
    line.total = std::max(line.total, begin + time);
  };
  const auto next_of = [&](int rank) -> const PipelineAction* {
    const auto& mine = s.actions[static_cast<std::size_t>(rank)];
    const std::size_t done = line.spans[static_cast<std::size_t>(rank)].size();
    return done < mine.size() ? &mine[done] : nullptr;
  };
  const auto is_partner = [&](int rank, const PipelineAction& a) {
    const int stage = s.stage_beside(rank, a);
    const Act act = a.act == Act::send_activation ? Act::receive_activation : Act::receive_gradient;
    const PipelineAction* other = next_of(stage % s.ranks);
    return other != nullptr && *other == PipelineAction{act, a.micro_batch, stage / s.ranks};
  };
  for (bool moves = true; moves;) {
    moves = false;
    for (int r = 0; r < s.ranks; ++r) {
      while (const PipelineAction* a = next_of(r)) {
        const double now = clock[static_cast<std::size_t>(r)];
        if (a->act == Act::forward || a->act == Act::backward) {
          do_next(r, now, a->act == Act::forward ? durations.forward : durations.backward);
        } else if ((a->act == Act::send_activation || a->act == Act::send_gradient) && is_partner(r, *a)) {
          const int peer = s.peer(r, *a);
          const double begin = std::max(now, clock[static_cast<std::size_t>(peer)]);
          do_next(r, begin, durations.transfer);
          do_next(peer, begin, durations.transfer);
        } else {
          break;
        }
        moves = true;
      }
    }
  }
  for (int r = 0; r < s.ranks; ++r) {
    if (next_of(r) == nullptr) continue;
    line.stuck += (line.stuck.empty() ? "" : "; ") +
                  detail::pipeline_place(s, r, line.spans[static_cast<std::size_t>(r)].size()) +
                  " waits for ever";
  }
  return line;
}

/// What is wrong with a schedule, in a sentence that names the rank and the action; empty where it is right:
///
///   - each forward and backward comes once, after what it works on has come,
///   - no rank has more in flight than `in_flight` says,
///   - with sends that wait for their receive all ranks come to their end.
inline std::string problem_in(const PipelineSchedule& s) {
  const auto ranks = static_cast<std::size_t>(std::max(s.ranks, 0));
  if (s.ranks < 1 || s.chunks < 1 || s.micro_batches < 1 || s.actions.size() != ranks ||
      s.in_flight.size() != ranks)
    return "a schedule has a list of actions and a bound for each of its ranks, and something to do";
  for (int r = 0; r < s.ranks; ++r)
    if (std::string problem = detail::problem_in_rank(s, r); !problem.empty()) return problem;
  return simulate(s).stuck;
}

/// @throws tpx::Error with the problem in a schedule, where it has one
inline void check(const PipelineSchedule& s) {
  if (const std::string problem = problem_in(s); !problem.empty())
    fail("tpx::check(PipelineSchedule): " + problem);
}

}  // namespace tpx
