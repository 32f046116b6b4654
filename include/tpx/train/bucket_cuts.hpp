// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tpx::detail {

/// Cuts the parameters of a model, in its order, into buckets.
///
/// Parameters of one layer lie together where they fit: those whose names are the same up to the first number,
/// "block3" of "block3.mlp.in.weight". Sizes are such that all ranks cut the same.
class BucketCuts {
 public:
  void add(const std::string& name, std::int64_t bytes) {
    const std::string layer = layer_of(name);
    if (parameters_.empty() || layer != last_layer_) layers_.push_back(0);
    last_layer_ = layer;
    layers_.back() += bytes;
    parameters_.push_back({bytes, layers_.size() - 1});
  }

  /// Whether each parameter begins a bucket.
  ///
  /// @param limit  of a bucket's bytes, which a single parameter may exceed; 0: a layer, or as many as are a
  ///               sixteenth of the model, and 25 MiB at most
  std::vector<bool> starts(std::int64_t limit) const {
    if (limit == 0) limit = usual_limit();
    std::vector<bool> all;
    std::int64_t filled = 0;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const Entry& p = parameters_[i];
      const bool begins_layer = i == 0 || parameters_[i - 1].layer != p.layer;
      all.push_back(i == 0 || filled + (begins_layer ? layers_[p.layer] : p.bytes) > limit);
      filled = (all.back() ? 0 : filled) + p.bytes;
    }
    return all;
  }

 private:
  struct Entry {
    std::int64_t bytes;
    std::size_t layer;
  };

  static std::string layer_of(const std::string& name) {
    const std::size_t number = name.find_first_of("0123456789");
    return number == std::string::npos ? name : name.substr(0, name.find('.', number));
  }

  std::int64_t usual_limit() const {
    std::int64_t sum = 0, largest = 0;
    for (const std::int64_t bytes : layers_) {
      sum += bytes;
      largest = std::max(largest, bytes);
    }
    return std::min(std::max(largest, sum / 16), std::int64_t{25} << 20);
  }

  std::vector<Entry> parameters_;
  std::vector<std::int64_t> layers_;  // their bytes
  std::string last_layer_;
};

}  // namespace tpx::detail
