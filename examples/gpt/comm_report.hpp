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
  /// @param  predicted  of one
  CommReport(const tpx::comm::CommLog& counted, std::int64_t steps, const tpx::comm::CommLog& predicted)
      : steps_(steps) {
    for (const tpx::comm::CommEntry& entry : counted.entries()) row(entry).counted = entry;
    for (const tpx::comm::CommEntry& entry : predicted.entries()) row(entry).predicted = entry;
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const Row& a, const Row& b) { return key(a).label < key(b).label; });
  }

  /// Whether every step did what was predicted, no more and no less.
  bool as_predicted() const {
    return std::all_of(rows_.begin(), rows_.end(), [&](const Row& row) {
      return row.counted.calls == steps_ * row.predicted.calls &&
             row.counted.elements == steps_ * row.predicted.elements &&
             row.counted.bytes == steps_ * row.predicted.bytes;
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
      std::printf("%-6s %-14s %5d %10.6g %12.10g %8lld %12lld\n", key(r).label.c_str(), name(key(r).what),
                  key(r).ranks, per_step(r.counted.calls), per_step(r.counted.elements),
                  static_cast<long long>(r.predicted.calls), static_cast<long long>(r.predicted.elements));
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
        const std::vector<example::Fact> predicted{{"calls", r.predicted.calls}, {"elements", r.predicted.elements}};
        one.emplace_back(name(key(r).what), std::vector<example::Fact>{per_step("calls", r.counted.calls),
                                                                      per_step("elements", r.counted.elements),
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

  double per_step(std::int64_t total) const { return static_cast<double>(total) / static_cast<double>(steps_); }

  /// Whole where it is, as the predicted number is.
  example::Fact per_step(const std::string& name, std::int64_t total) const {
    if (total % steps_ == 0) return {name, total / steps_};
    return {name, per_step(total)};
  }

  std::vector<Row> rows_;
  std::int64_t steps_;
};

}  // namespace gpt
