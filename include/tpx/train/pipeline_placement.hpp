// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <tpx/core/error.hpp>

namespace tpx {

/// Layers [first, last) of a model, counted from 0.
struct LayerRange {
  std::int64_t first = 0;
  std::int64_t last = 0;

  std::int64_t size() const { return last - first; }
  bool holds(std::int64_t layer) const { return first <= layer && layer < last; }
  friend bool operator==(const LayerRange&, const LayerRange&) = default;
};

/// Which layers each stage of a pipeline has, stage after stage: with one chunk a rank, stage r is rank r's.
class LayerPlacement {
 public:
  /// @pre    the ranges follow each other from layer 0 on, and none is empty
  /// @throws tpx::Error naming the range
  explicit LayerPlacement(std::vector<LayerRange> stages) : stages_(std::move(stages)) {
    if (stages_.empty()) fail("tpx::LayerPlacement: there is at least one stage");
    std::int64_t next = 0;
    for (const LayerRange& range : stages_) {
      if (range.size() < 1)
        fail("tpx::LayerPlacement: a stage has at least one layer; " + text(range) + " is none");
      if (range.first != next)
        fail("tpx::LayerPlacement: each stage begins where the one before ends; after layer " +
             std::to_string(next) + " comes " + std::to_string(next + 1) + ", not " + text(range));
      next = range.last;
    }
  }

  int stages() const { return static_cast<int>(stages_.size()); }
  std::int64_t layers() const { return stages_.back().last; }
  const LayerRange& operator[](int stage) const { return stages_[static_cast<std::size_t>(stage)]; }

  /// "1-24,25-48": layers counted from 1, as layer_placement() reads them.
  std::string describe() const {
    std::string all;
    for (const LayerRange& range : stages_) {
      if (!all.empty()) all += ',';
      all += text(range);
    }
    return all;
  }

  friend bool operator==(const LayerPlacement&, const LayerPlacement&) = default;

 private:
  static std::string text(const LayerRange& range) {
    const std::string first = std::to_string(range.first + 1), last = std::to_string(range.last);
    return first == last ? first : first + "-" + last;
  }

  std::vector<LayerRange> stages_;
};

/// Reads "1-24,25-48", or "1-3,4,5-8": layers counted from 1, a stage after each comma.
///
/// @throws tpx::Error where that is no placement of `layers` layers on `stages` stages, saying why
inline LayerPlacement layer_placement(const std::string& text, std::int64_t layers, int stages) {
  const std::string form = "; a placement of 48 layers on two stages is '1-24,25-48'";
  const auto refuse = [&](const std::string& why) {
    fail("tpx::layer_placement: '" + text + "': " + why + form);
  };
  std::vector<LayerRange> ranges;
  std::istringstream parts(text + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    LayerRange range;
    const char* const end = part.data() + part.size();
    auto read = std::from_chars(part.data(), end, range.first);
    range.last = range.first;
    if (read.ec == std::errc() && read.ptr != end && *read.ptr == '-')
      read = std::from_chars(read.ptr + 1, end, range.last);
    if (read.ec != std::errc() || read.ptr != end || range.first < 1)
      refuse("'" + part + "' is no range of layers");
    if (range.last < range.first) refuse("'" + part + "' ends before it begins");
    const std::int64_t next = ranges.empty() ? 0 : ranges.back().last;
    if (--range.first != next)
      refuse("after layer " + std::to_string(next) + " comes layer " + std::to_string(next + 1) + ", not '" +
             part + "'");
    ranges.push_back(range);
  }
  if (static_cast<int>(ranges.size()) != stages)
    refuse("the pipeline has " + std::to_string(stages) + (stages == 1 ? " stage" : " stages") + ", not " +
           std::to_string(ranges.size()));
  if (ranges.back().last != layers)
    refuse("the last layer is " + std::to_string(ranges.back().last) + ", and the model has " +
           std::to_string(layers));
  return LayerPlacement(std::move(ranges));
}

/// @throws tpx::Error naming the numbers, where there are more stages than layers, or none
inline void check_stages(std::int64_t layers, int stages) {
  if (stages < 1 || stages > layers)
    fail("tpx::balance_layers: each stage has at least one layer; " + std::to_string(stages) + " stages, " +
         std::to_string(layers) + (layers == 1 ? " layer" : " layers"));
}

/// Places layers so that the slowest stage is as fast as it can be; among such placements, one with the stages
/// as equal as they can be (least sum of squares), larger stages first.
///
/// @param  costs  of each layer, in any unit: seconds, flops, or all 1
/// @param  before what the first stage does beside its layers (an embedding), and
/// @param  after  what the last one does (an output layer, the loss)
/// @pre    1 <= stages <= number of layers, costs are no negative numbers
/// @throws tpx::Error naming the numbers
inline LayerPlacement balance_layers(const std::vector<double>& costs, int stages, double before = 0,
                                     double after = 0) {
  check_stages(static_cast<std::int64_t>(costs.size()), stages);
  const auto layers = costs.size(), parts = static_cast<std::size_t>(stages);
  for (const double cost : costs)
    if (!(cost >= 0) || !(before >= 0) || !(after >= 0))
      fail("tpx::balance_layers: a cost is no negative number; costs hold " + std::to_string(cost));
  std::vector<double> up_to{0};
  for (const double cost : costs) up_to.push_back(up_to.back() + cost);
  const auto cost_of = [&](std::size_t stage, std::size_t first, std::size_t last) {
    return up_to[last] - up_to[first] + (stage == 0 ? before : 0) + (stage + 1 == parts ? after : 0);
  };
  // best[s][i]: of stages s, s + 1, ... with layers i, i + 1, ...; `join` says what a stage adds to the rest.
  constexpr double never = std::numeric_limits<double>::infinity();
  const auto solve = [&](auto&& join) {
    std::vector<std::vector<double>> best(parts + 1, std::vector<double>(layers + 1, never));
    best[parts][layers] = 0;
    for (std::size_t s = parts; s-- > 0;)
      for (std::size_t i = 0; i < layers; ++i)
        for (std::size_t last = i + 1; last <= layers; ++last)
          if (best[s + 1][last] < never)
            best[s][i] = std::min(best[s][i], join(cost_of(s, i, last), best[s + 1][last]));
    return best;
  };
  const double largest = solve([](double stage, double rest) { return std::max(stage, rest); })[0][0];
  const double allowed = largest * (1 + 1e-12);  // sums in another order differ by rounding
  const auto squares = [&](double stage, double rest) {
    return stage <= allowed ? stage * stage + rest : never;
  };
  const auto best = solve(squares);
  std::vector<LayerRange> ranges;
  for (std::size_t s = 0, i = 0; s < parts; ++s) {
    std::size_t last = layers;
    const auto here = [&](std::size_t end) { return squares(cost_of(s, i, end), best[s + 1][end]); };
    while (last > i + 1 && !(here(last) <= best[s][i] * (1 + 1e-12))) --last;
    ranges.push_back({static_cast<std::int64_t>(i), static_cast<std::int64_t>(last)});
    i = last;
  }
  return LayerPlacement(std::move(ranges));
}

/// Places layers of equal cost: the numbers differ by one at most, larger ones first.
inline LayerPlacement even_layers(std::int64_t layers, int stages) {
  if (layers < 1)
    fail("tpx::even_layers: a model has at least one layer; given were " + std::to_string(layers));
  return balance_layers(std::vector<double>(static_cast<std::size_t>(layers), 1.0), stages);
}

}  // namespace tpx
