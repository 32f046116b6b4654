// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <tpx/train/cost_model.hpp>

namespace plan {

/// A run that somebody measured and published.
struct PublishedRow {
  std::string name;
  tpx::TrainingJob job;
  tpx::ParallelPlan plan;  ///< micro_batch 0: not published
  double published = 0;
};

/// A published table: runs of one software on one kind of machine.
struct PublishedTable {
  enum class Measure { milliseconds, teraflops, percent };

  std::string name, cluster;
  Measure measure = Measure::milliseconds;
  std::vector<PublishedRow> rows;
};

inline PublishedTable read_published(const std::string& path) {
  std::ifstream in(path);
  if (!in) tpx::fail("plan: the table '" + path + "' cannot be opened");
  PublishedTable table;
  std::int64_t context = 0, vocabulary = 0;
  tpx::detail::read_settings(in, path, [&](const std::string& key, const std::string& value) -> std::string {
    if (key == "name") return table.name = value, "";
    if (key == "cluster") return table.cluster = value, "";
    if (key == "context") return context = std::stoll(value), "";
    if (key == "vocabulary") return vocabulary = std::stoll(value), "";
    if (key == "measure") {
      using Measure = PublishedTable::Measure;
      if (value != "milliseconds" && value != "teraflops" && value != "percent")
        return "the measure is unknown";
      table.measure = value == "milliseconds" ? Measure::milliseconds
                      : value == "percent"    ? Measure::percent
                                              : Measure::teraflops;
      return "";
    }
    if (key != "row") return "the key is unknown";
    PublishedRow row;
    int ranks = 0, overlap = 0;
    tpx::GptConfig& c = row.job.model;
    std::istringstream numbers(value);
    if (!(numbers >> row.name >> c.hidden >> c.layers >> c.heads >> row.plan.tp >> row.plan.pp >> ranks >>
          row.job.batch >> row.plan.micro_batch >> overlap >> row.published) ||
        !(numbers >> std::ws).eof())
      return "a row is a name and ten numbers";
    c.context = context;
    c.vocabulary = vocabulary;
    row.plan.dp = ranks / (row.plan.tp * row.plan.pp);
    if (row.plan.ranks() != ranks) return "the ranks are no multiple of tp x pp";
    // All of them recompute each block, store their scores and keep values and gradients in 16 bits.
    row.plan.recompute = tpx::Recompute::block;
    row.job.stored_scores = true;
    row.job.element_bytes = 2;
    row.job.overlap = overlap != 0;
    table.rows.push_back(row);
    return "";
  });
  return table;
}

/// A published run beside what the model says of it.
struct Comparison {
  PublishedRow row;
  tpx::StepCost cost;
  double predicted = 0;  ///< in the table's measure
  double error() const { return std::abs(predicted / row.published - 1); }
};

/// Predicts every row with the same cluster. A percentage is relative to the first row.
inline std::vector<Comparison> compare(const PublishedTable& table, const tpx::Cluster& cluster) {
  std::vector<Comparison> all;
  double first = 0;
  for (PublishedRow row : table.rows) {
    tpx::CostModel model(row.job, cluster);
    if (row.plan.micro_batch == 0) {
      double best = 0;
      tpx::ParallelPlan tried = row.plan;
      for (tried.micro_batch = 1; tried.micro_batch <= row.job.batch / row.plan.dp; tried.micro_batch *= 2) {
        if (row.job.batch % (row.plan.dp * tried.micro_batch) != 0 || !model.complaint(tried).empty()) continue;
        const tpx::StepCost cost = model.cost(tried);
        if (cost.memory > cluster.memory || (best > 0 && cost.seconds >= best)) continue;
        best = cost.seconds;
        row.plan = tried;
      }
      if (best == 0) tpx::fail("plan: nothing of '" + row.name + "' fits");
    }
    Comparison c{row, model.cost(row.plan), 0};
    const double rate = tpx::counted_flops(row.job, true) / c.cost.seconds / row.plan.ranks();
    if (first == 0) first = rate;
    c.predicted = table.measure == PublishedTable::Measure::milliseconds ? 1e3 * c.cost.seconds
                  : table.measure == PublishedTable::Measure::teraflops  ? rate / 1e12
                                                                         : 100 * rate / first;
    all.push_back(std::move(c));
  }
  return all;
}

}  // namespace plan
