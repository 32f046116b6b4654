// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <sched.h>
#include <time.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>

#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// How to wait for another process: at first the answer is under way and spinning is fastest; then the
/// other may need this core; after `grace` it may be that nobody comes any more.
class Patience {
 public:
  static constexpr int spins = 100;
  static constexpr std::chrono::milliseconds grace{50};

  /// A moment, for the processor.
  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  /// Waits a little. True when it is time to see whether the other is still there.
  bool wait() {
    if (turns_ < spins) {
      ++turns_;
      pause();
      return false;
    }
    const auto now = std::chrono::steady_clock::now();
    if (turns_ == spins) {
      ++turns_;
      look_ = now + grace;
    }
    if (now < look_) {
      ::sched_yield();
      return false;
    }
    // Not <thread>: it is large, and every program would wait for the compiler. A nap cut short is one, too.
    const timespec nap{0, 50'000};
    (void)::nanosleep(&nap, nullptr);
    if (++turns_ % 128 != 0) return false;
    return true;
  }

  /// @pre wait() was true
  std::chrono::steady_clock::duration waited() const {
    return std::chrono::steady_clock::now() - (look_ - grace);
  }

 private:
  int turns_ = 0;
  std::chrono::steady_clock::time_point look_;
};

/// After how long without an answer a rank gives up where checks communicate: TPX_TIMEOUT seconds, or else ten
/// minutes, in which the others may well write a file.
///
/// @throws tpx::Error where TPX_TIMEOUT is no such number
inline std::chrono::seconds timeout() {
  const char* const set = std::getenv("TPX_TIMEOUT");
  if (set == nullptr) return std::chrono::seconds(600);
  const std::string_view text = set;
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 1)
    fail("tpx::comm: TPX_TIMEOUT is a number of seconds, at least 1; TPX_TIMEOUT = " + std::string(text));
  return std::chrono::seconds(seconds);
}

/// Why a wait is given up that took longer than that.
inline std::string waited_too_long(std::chrono::steady_clock::duration waited) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(waited).count();
  return "it has waited for " + std::to_string(seconds) + " s (TPX_TIMEOUT sets how long it may)";
}

}  // namespace tpx::comm::detail
