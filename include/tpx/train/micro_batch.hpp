// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include <tpx/core/error.hpp>
#include <tpx/layout/distribution.hpp>

namespace tpx {

/// A batch cut into micro-batches, whose sizes differ by one at most (by `multiple` where they are multiples of
/// it, of the ranks that split the batch for example). A loss is a mean over its own micro-batch; times its
/// weight, the micro-batches' losses add up to the mean over the batch, and so do their gradients.
class MicroBatches {
 public:
  /// @pre    samples are a multiple of `multiple`, and enough for each micro-batch
  /// @throws tpx::Error naming the numbers
  MicroBatches(std::int64_t samples, int count, std::int64_t multiple = 1)
      : samples_(samples), count_(count), multiple_(multiple) {
    const auto text = [](std::int64_t n) { return std::to_string(n); };
    if (samples < 1 || count < 1 || multiple < 1 || samples % multiple != 0)
      fail("tpx::MicroBatches: the samples are a multiple of the ranks that split them; " + text(samples) +
           " samples, " + text(multiple) + " ranks");
    if (samples / multiple < count)
      fail("tpx::MicroBatches: each micro-batch has a sample for each rank; " + text(samples) + " samples, " +
           text(count) + " micro-batches, " + text(multiple) + " ranks");
  }

  std::int64_t samples() const { return samples_; }
  int count() const { return count_; }

  /// Samples [offset, offset + extent) of the batch: larger micro-batches first.
  Piece operator[](int m) const {
    const std::int64_t units = samples_ / multiple_, size = units / count_, more = units % count_;
    return {(m * size + std::min<std::int64_t>(m, more)) * multiple_, (size + (m < more ? 1 : 0)) * multiple_};
  }
  /// The share of the batch that a micro-batch is.  @post they add up to 1
  double weight(int m) const { return static_cast<double>((*this)[m].extent) / static_cast<double>(samples_); }

 private:
  std::int64_t samples_;
  int count_;
  std::int64_t multiple_;
};

}  // namespace tpx
