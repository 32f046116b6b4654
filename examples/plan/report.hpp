// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <tpx/train/planner.hpp>

#include "published.hpp"

namespace plan {

/// "dp=24,pp=8,tp=8"
inline std::string mesh_text(const tpx::ParallelPlan& p) {
  return "dp=" + std::to_string(p.dp) + ",pp=" + std::to_string(p.pp) + ",tp=" + std::to_string(p.tp);
}

inline double percent(double part, const tpx::StepCost& cost) { return 100 * part / cost.seconds; }

inline void print_head() {
  std::printf("%-22s %6s %-14s %4s %9s %10s %10s %7s %7s %8s\n", "mesh", "micro", "schedule", "ZeRO",
              "recompute", "step s", "samples/s", "bubble", "comm", "memory");
}

/// "1f1b", "interleaved 4"; nothing to schedule on one stage
inline std::string schedule_text(const tpx::ParallelPlan& p) {
  if (p.pp == 1) return "-";
  return name(p.schedule) + (p.chunks > 1 ? " " + std::to_string(p.chunks) : std::string());
}

inline void print_plan(const tpx::TrainingJob& job, const tpx::ParallelPlan& p, const tpx::StepCost& c) {
  std::printf("%-22s %6lld %-14s %4d %9s %10.4g %10.4g %6.1f%% %6.1f%% %5.1f GB\n", mesh_text(p).c_str(),
              static_cast<long long>(p.micro_batch), schedule_text(p).c_str(), p.zero, name(p.recompute),
              c.seconds, static_cast<double>(job.batch) / c.seconds, percent(c.bubble, c),
              percent(c.communication(), c), c.memory / 1e9);
}

/// The ten fastest meshes, and of the others why they are not among them, those of one reason together.
inline void print_search(const tpx::TrainingJob& job, const std::vector<tpx::MeshOutcome>& meshes) {
  constexpr std::size_t shown = 10;
  print_head();
  std::size_t n = 0;
  for (; n < meshes.size() && n < shown && meshes[n].fits(); ++n)
    print_plan(job, meshes[n].plan, meshes[n].cost);
  if (n == 0) std::printf("none fits\n");
  if (n < meshes.size()) std::printf("\nThe other meshes:\n");
  for (; n < meshes.size(); ++n) {
    const tpx::MeshOutcome& m = meshes[n];
    if (m.fits()) {
      std::printf("%-22s takes %.2f times as long as the fastest: bubble %.0f%%, communication %.0f%%\n",
                  mesh_text(m.plan).c_str(), m.cost.seconds / meshes.front().cost.seconds,
                  percent(m.cost.bubble, m.cost), percent(m.cost.communication(), m.cost));
    } else {
      std::printf("%-22s %s\n", mesh_text(m.plan).c_str(), m.out.c_str());
    }
  }
}

inline void print_scaling(const char* title, const std::vector<tpx::ScalingPoint>& points) {
  std::printf("\n%s scaling\n%8s %-22s %10s %9s %11s %12s\n", title, "ranks", "best mesh", "step s", "speedup",
              "efficiency", "serial share");
  for (const tpx::ScalingPoint& p : points) {
    if (p.best.fits())
      std::printf("%8d %-22s %10.4g %9.2f %10.1f%% %11.2f%%\n", p.ranks, mesh_text(p.best.plan).c_str(),
                  p.best.cost.seconds, p.speedup, 100 * p.efficiency, 100 * p.serial_share);
    else
      std::printf("%8d %s\n", p.ranks, p.best.out.c_str());
  }
}

/// Prints predicted beside published and gives the mean error of the table.
inline double print_comparison(const PublishedTable& table, const std::vector<Comparison>& rows) {
  const char* const unit = table.measure == PublishedTable::Measure::milliseconds ? "ms"
                           : table.measure == PublishedTable::Measure::teraflops  ? "teraFLOP/s"
                                                                                  : "%";
  std::printf("\n%s, in %s\n%-8s %-18s %6s %10s %10s %7s\n", table.name.c_str(), unit, "model", "mesh", "micro",
              "published", "predicted", "error");
  double sum = 0;
  for (const Comparison& c : rows) {
    std::printf("%-8s %-18s %6lld %10.1f %10.1f %6.1f%%\n", c.row.name.c_str(), mesh_text(c.row.plan).c_str(),
                static_cast<long long>(c.row.plan.micro_batch), c.row.published, c.predicted, 100 * c.error());
    sum += c.error();
  }
  const double mean = sum / static_cast<double>(rows.size());
  std::printf("mean error %.2f%%\n", 100 * mean);
  return mean;
}

}  // namespace plan
