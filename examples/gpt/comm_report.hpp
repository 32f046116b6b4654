// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <tpx/comm/comm_log.hpp>

#include "../support/result.hpp"

namespace gpt {

/// What a step communicates: counted while it ran, beside what was predicted.
class CommReport {
 public:
  /// @param  counted, predicted  of `steps` steps
  CommReport(const tpx::comm::CommLog& counted, const std::vector<tpx::comm::CommEntry>& predicted,
             std::int64_t steps)
      : steps_(steps) {
    for (const tpx::comm::CommEntry& entry : counted.entries()) row(entry).counted = entry;
    for (const tpx::comm::CommEntry& entry : predicted) row(entry).predicted = entry;
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const Row& a, const Row& b) { return key(a).label < key(b).label; });
  }

  /// Whether every step did what was predicted, no more and no less.
  bool as_predicted() const {
    return std::all_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.counted == row.predicted; });
  }

  void print() const {
    if (rows_.empty()) {
      std::printf("\nCommunication in a step: none, as predicted\n");
      return;
    }
    std::printf("\nCommunication in a step, mean of %lld    counted               predicted\n",
                static_cast<long long>(steps_));
    std::printf("%-6s %-14s %5s %10s %12s %8s %12s\n", "axes", "collective", "ranks", "calls", "elements",
                "calls", "elements");
    for (const Row& r : rows_)
      std::printf("%-6s %-14s %5d %10.6g %12.10g %8.6g %12.10g\n", key(r).label.c_str(), name(key(r).what),
                  key(r).ranks, mean(r.counted.calls), mean(r.counted.elements), mean(r.predicted.calls),
                  mean(r.predicted.elements));
    std::printf("%s\n", as_predicted() ? "as predicted" : "NOT as predicted");
  }

  /// {"tp":{"all_reduce":{"calls":...,"elements":...,"predicted":{"calls":...,"elements":...}}},"as_predicted":true}
  std::vector<example::Fact> facts() const {
    std::vector<example::Fact> all;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::string& label = key(rows_[i]).label;
      std::vector<example::Fact> one;  // rows are sorted by label
      for (; i < rows_.size() && key(rows_[i]).label == label; ++i) {
        const Row& r = rows_[i];
        const std::vector<example::Fact> predicted{mean("calls", r.predicted.calls),
                                                   mean("elements", r.predicted.elements)};
        one.emplace_back(name(key(r).what), std::vector<example::Fact>{mean("calls", r.counted.calls),
                                                                       mean("elements", r.counted.elements),
                                                                       {"predicted", predicted}});
      }
      --i;
      all.emplace_back(label, one);
    }
    all.emplace_back("as_predicted", as_predicted());
    return all;
  }

 private:
  struct Row {
    tpx::comm::CommEntry counted, predicted;
  };

  static const tpx::comm::CommEntry& key(const Row& r) { return r.counted.calls > 0 ? r.counted : r.predicted; }

  Row& row(const tpx::comm::CommEntry& entry) {
    for (Row& r : rows_)
      if (key(r).label == entry.label && key(r).what == entry.what && key(r).ranks == entry.ranks) return r;
    rows_.emplace_back();
    return rows_.back();
  }

  /// Of a step.
  double mean(std::int64_t total) const { return static_cast<double>(total) / static_cast<double>(steps_); }
  /// Whole where it is.
  example::Fact mean(const std::string& name, std::int64_t total) const {
    if (total % steps_ == 0) return {name, total / steps_};
    return {name, mean(total)};
  }

  std::vector<Row> rows_;
  std::int64_t steps_;
};

}  // namespace gpt
