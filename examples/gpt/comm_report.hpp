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
  /// @param  counted    of `steps` steps
  /// @param  predicted  of `predicted_steps`
  CommReport(const tpx::comm::CommLog& counted, std::int64_t steps, const tpx::comm::CommLog& predicted,
             std::int64_t predicted_steps)
      : steps_(steps), predicted_steps_(predicted_steps) {
    for (const tpx::comm::CommEntry& entry : counted.entries()) row(entry).counted = entry;
    for (const tpx::comm::CommEntry& entry : predicted.entries()) row(entry).predicted = entry;
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const Row& a, const Row& b) { return key(a).label < key(b).label; });
  }

  /// Whether every step did what was predicted, no more and no less.
  bool as_predicted() const {
    const auto same = [&](std::int64_t counted, std::int64_t predicted) {
      return counted * predicted_steps_ == predicted * steps_;
    };
    return std::all_of(rows_.begin(), rows_.end(), [&](const Row& row) {
      return same(row.counted.calls, row.predicted.calls) &&
             same(row.counted.elements, row.predicted.elements) && same(row.counted.bytes, row.predicted.bytes);
    });
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
                  key(r).ranks, mean(r.counted.calls, steps_), mean(r.counted.elements, steps_),
                  mean(r.predicted.calls, predicted_steps_), mean(r.predicted.elements, predicted_steps_));
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
        const std::vector<example::Fact> predicted{mean("calls", r.predicted.calls, predicted_steps_),
                                                   mean("elements", r.predicted.elements, predicted_steps_)};
        one.emplace_back(name(key(r).what),
                         std::vector<example::Fact>{mean("calls", r.counted.calls, steps_),
                                                    mean("elements", r.counted.elements, steps_),
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

  static double mean(std::int64_t total, std::int64_t steps) {
    return static_cast<double>(total) / static_cast<double>(steps);
  }
  /// Whole where it is.
  static example::Fact mean(const std::string& name, std::int64_t total, std::int64_t steps) {
    if (total % steps == 0) return {name, total / steps};
    return {name, mean(total, steps)};
  }

  std::vector<Row> rows_;
  std::int64_t steps_, predicted_steps_;
};

}  // namespace gpt
