// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "options.hpp"

namespace gpt {

/// Whether somebody watches the standard output. A launcher may give the ranks a terminal of its own, behind
/// which there is a pipe or a file; then its own output, the parent's, says what is true.
inline bool output_is_watched() {
  if (isatty(STDOUT_FILENO) == 0) return false;
  std::error_code none;
  const auto parents = std::filesystem::read_symlink("/proc/" + std::to_string(getppid()) + "/fd/1", none);
  return none || parents.string().rfind("/dev/", 0) == 0;
}

/// Says how far the training is: a line that is written over and over, or some twenty lines.
class ProgressReport {
 public:
  /// @param  first  number of the first step to be made, not 0 where a run goes on
  ProgressReport(const Options& options, std::int64_t first, std::int64_t tokens_per_step, bool speaks)
      : first_(first),
        steps_(options.steps),
        tokens_per_step_(tokens_per_step),
        speaks_(speaks),
        bar_(options.progress == "bar" || (options.progress == "auto" && output_is_watched())) {}

  /// After step number `step`, counted from 0, with its loss.
  void after(std::int64_t step, double loss) {
    const auto now = Clock::now();
    if (step == first_) start_ = now;  // the first step allocates, and is not counted
    last_ = now;
    if (!speaks_) return;
    const bool final = step + 1 == steps_;
    if (bar_) {
      if (!final && step > first_ && now - shown_ < std::chrono::milliseconds(100)) return;
      shown_ = now;
      show_bar(step + 1, loss);
    } else if (step == first_ || final || (step + 1) % std::max<std::int64_t>(1, steps_ / 20) == 0) {
      std::printf("step %*lld  loss %.4f  %8.0f tokens/s  %s left\n", digits(),
                  static_cast<long long>(step + 1), loss, tokens_per_second(step + 1), left(step + 1).c_str());
    }
    if (bar_ && final) std::printf("\n");
    std::fflush(stdout);
  }

  /// Of the steps after the first one.
  double tokens_per_second(std::int64_t done) const {
    const double seconds = std::chrono::duration<double>(last_ - start_).count();
    return seconds > 0 ? static_cast<double>((done - first_ - 1) * tokens_per_step_) / seconds : 0;
  }

 private:
  using Clock = std::chrono::steady_clock;

  int digits() const { return static_cast<int>(std::to_string(steps_).size()); }

  void show_bar(std::int64_t done, double loss) const {
    constexpr std::int64_t width = 20;
    const auto filled = static_cast<std::size_t>(width * done / steps_);
    const std::string bar =
        std::string(filled, '#') + std::string(static_cast<std::size_t>(width) - filled, '.');
    std::printf("\r[%s] %*lld/%lld  loss %.4f  %.0f tokens/s  %s left\033[K", bar.c_str(), digits(),
                static_cast<long long>(done), static_cast<long long>(steps_), loss, tokens_per_second(done),
                left(done).c_str());
  }

  std::string left(std::int64_t done) const {
    const double rate = tokens_per_second(done);
    if (rate <= 0) return "?:??";
    const auto seconds = static_cast<long long>(static_cast<double>((steps_ - done) * tokens_per_step_) / rate);
    char text[32];
    std::snprintf(text, sizeof(text), "%lld:%02lld", seconds / 60, seconds % 60);
    return text;
  }

  std::int64_t first_;
  std::int64_t steps_;
  std::int64_t tokens_per_step_;
  bool speaks_;
  bool bar_;
  Clock::time_point start_{}, last_{}, shown_{};
};

}  // namespace gpt
