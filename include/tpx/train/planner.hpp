// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tpx/train/cost_model.hpp>

namespace tpx {

/// What became of a mesh in a search: its fastest plan that fits; where none does, the plan that needs the
/// least memory, or any, and why it is out.
struct MeshOutcome {
  ParallelPlan plan;
  StepCost cost;
  std::string out;  ///< why the mesh is out; empty where a plan fits

  bool fits() const { return out.empty(); }
};

namespace detail {

/// The schedules to be tried: of those that take the same time the one that keeps less comes first.
inline std::vector<ParallelPlan> scheduled(ParallelPlan plan, std::int64_t layers) {
  plan.schedule = PipelineKind::one_f_one_b;
  std::vector<ParallelPlan> all{plan};
  if (plan.pp == 1) return all;
  plan.schedule = PipelineKind::interleaved;
  for (plan.chunks = 2; plan.chunks <= layers / plan.pp; plan.chunks *= 2) all.push_back(plan);
  plan.schedule = PipelineKind::gpipe;
  plan.chunks = 1;
  all.push_back(plan);
  return all;
}

inline MeshOutcome best_of_mesh(CostModel& model, ParallelPlan plan) {
  // In one micro-batch whatever could run can.
  plan.schedule = PipelineKind::gpipe;
  MeshOutcome best{plan, {}, model.complaint(plan)};
  if (!best.out.empty()) return best;
  bool any = false;
  const double room = model.cluster().memory;
  for (const ParallelPlan& ordered : scheduled(plan, model.job().model.layers)) {
    plan = ordered;
    for (plan.micro_batch = 1; plan.dp * (plan.micro_batch / 2) < model.job().batch; plan.micro_batch *= 2) {
      if (!model.complaint(plan).empty()) continue;
      for (const int zero : {0, 1, 2, 3}) {
        if (zero > 0 && plan.dp == 1) continue;  // there is nothing to split
        for (const Recompute recompute : {Recompute::none, Recompute::attention, Recompute::block}) {
          plan.zero = zero;
          plan.recompute = recompute;
          const StepCost cost = model.cost(plan);
          const bool fits = cost.memory <= room;
          const bool better = !any || (fits != (best.cost.memory <= room) ? fits
                                       : fits                             ? cost.seconds < best.cost.seconds
                                                                          : cost.memory < best.cost.memory);
          if (better) best = {plan, cost, {}};
          any = true;
        }
      }
    }
  }
  if (best.cost.memory > room) {
    char text[120];
    std::snprintf(text, sizeof text, "needs %.3g GB at least, a rank has %.3g", best.cost.memory / 1e9,
                  room / 1e9);
    best.out = text;
  }
  return best;
}

}  // namespace detail

/// Looks at every mesh <dp, pp, tp> of so many ranks, with micro-batches of 1, 2, 4, ... samples, every
/// schedule (interleaved with 2, 4, ... chunks), every ZeRO stage and every kind of recomputation.
///
/// @post   each mesh once: those that fit, fastest first, then those that do not
/// @comm   none
inline std::vector<MeshOutcome> search_meshes(CostModel& model, int ranks) {
  TPX_EXPECTS(ranks >= 1, ranks, "a mesh has a rank");
  std::vector<MeshOutcome> all;
  for (int tp = 1; tp <= ranks; ++tp) {
    if (ranks % tp != 0) continue;
    for (int pp = 1; pp <= ranks / tp; ++pp)
      if (ranks / tp % pp == 0)
        all.push_back(detail::best_of_mesh(model, {.dp = ranks / tp / pp, .pp = pp, .tp = tp}));
  }
  std::stable_sort(all.begin(), all.end(), [](const MeshOutcome& a, const MeshOutcome& b) {
    return std::pair(!a.fits(), a.fits() ? a.cost.seconds : 0) <
           std::pair(!b.fits(), b.fits() ? b.cost.seconds : 0);
  });
  return all;
}

/// The fastest plan at some number of ranks, against the first number at which one fits.
struct ScalingPoint {
  int ranks = 1;
  MeshOutcome best;
  double speedup = 0;       ///< of samples a second, over the first point that fits
  double efficiency = 0;    ///< speedup over the growth of the ranks
  double serial_share = 0;  ///< f with speedup = 1 / (f + (1 - f) / growth), Amdahl's; 0 at the first point
};

/// How a job scales: strong, the batch as it is; weak, the batch grows with the ranks, from `job.batch` at the
/// first.
///
/// @comm   none
/// @see    Amdahl 1967; Karp and Flatt 1990 for the share that is measured from a speedup
inline std::vector<ScalingPoint> scaling(const TrainingJob& job, const Cluster& cluster,
                                         const std::vector<int>& ranks, bool weak) {
  std::vector<ScalingPoint> points;
  double first_rate = 0, first_ranks = 1;
  CostModel strong(job, cluster);
  for (const int n : ranks) {
    ScalingPoint point;
    point.ranks = n;
    TrainingJob here = job;
    if (weak) here.batch = job.batch * n / ranks.front();
    CostModel grown(here, cluster);
    point.best = search_meshes(weak ? grown : strong, n).front();
    if (point.best.fits()) {
      const double rate = static_cast<double>(here.batch) / point.best.cost.seconds;
      if (first_rate == 0) first_rate = rate, first_ranks = n;
      const double growth = n / first_ranks;
      point.speedup = rate / first_rate;
      point.efficiency = point.speedup / growth;
      if (growth > 1) point.serial_share = std::max(0.0, (1 / point.speedup - 1 / growth) / (1 - 1 / growth));
    }
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace tpx
