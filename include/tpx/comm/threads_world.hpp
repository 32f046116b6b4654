// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// What a rank that waited is thrown out with when another has failed: not the cause, only its effect.
class Released : public Error {
 public:
  using Error::Error;
};

/// A call as ranks compare it: all of these must be the same on every rank.
struct ThreadCall {
  const char* what = "nothing";
  std::int64_t count = 0;
  Element element = Element::u8;
  Reduction reduction = Reduction::sum;
  int root = -1;             ///< the other rank, or -1
  std::uint32_t blocks = 0;  ///< which uneven blocks; 0 for even ones

  friend bool operator==(const ThreadCall& a, const ThreadCall& b) {
    return std::string_view(a.what) == b.what && a.count == b.count && a.element == b.element &&
           a.reduction == b.reduction && a.root == b.root && a.blocks == b.blocks;
  }

  std::string text() const {
    std::string out = what;
    out += " of " + std::to_string(count) + " " + name(element);
    if (reduction != Reduction::sum) out += std::string(" (") + name(reduction) + ")";
    if (blocks != 0) out += " in uneven blocks";
    if (root >= 0) out += ", rank " + std::to_string(root);
    return out;
  }
};

/// What the threads of one run share: one lock and one condition for all of their groups, who waits for
/// what, and whether somebody failed. Few threads, so waking all of them is cheap; none ever spins.
class ThreadWorld {
 public:
  using Lock = std::unique_lock<std::mutex>;

  explicit ThreadWorld(int size) : ranks_(static_cast<std::size_t>(size)) {}

  Lock lock() { return Lock(mutex_); }
  void notify() { changed_.notify_all(); }

  /// @throws Released when a rank has failed
  void expect_healthy(const ThreadCall& call) const {
    if (!failure_.empty()) released(call);
  }

  /// Waits until ready(), which reads what the lock guards.
  ///
  /// @throws Released when a rank fails first, or when every rank waits for another
  template <class Ready>
  void wait(Lock& lock, int rank, const ThreadCall& call, Ready ready) {
    block(lock, rank, call, ready);
    if (!ready()) released(call);
  }

  /// The same, and a failure does not end it: for ranks that still read each other's memory. Whom they
  /// wait for is on its way.
  template <class Ready>
  void wait_to_the_end(Lock& lock, Ready ready) {
    changed_.wait(lock, ready);
  }

  /// The first failure counts: it releases everybody who waits.
  void rank_failed(int rank, const std::string& text) {
    const Lock held = lock();
    give_up("rank " + std::to_string(rank) + " failed: " + text);
    ranks_[static_cast<std::size_t>(rank)].gone = true;
  }

  void rank_returned(int rank) {
    const Lock held = lock();
    ranks_[static_cast<std::size_t>(rank)].gone = true;
    give_up_if_stuck();
  }

 private:
  struct Rank {
    bool gone = false;
    const ThreadCall* waits_in = nullptr;
    bool (*ready)(void*) = nullptr;
    void* argument = nullptr;
  };

  template <class Ready>
  void block(Lock& lock, int rank, const ThreadCall& call, Ready& ready) {
    Rank& self = ranks_[static_cast<std::size_t>(rank)];
    self.waits_in = &call;
    self.ready = [](void* argument) { return (*static_cast<Ready*>(argument))(); };
    self.argument = &ready;
    if (failure_.empty() && !ready()) give_up_if_stuck();
    changed_.wait(lock, [&] { return ready() || !failure_.empty(); });
    self.waits_in = nullptr;
  }

  // A rank that does not wait may still release the others; when all wait and none can go on, none will.
  void give_up_if_stuck() {
    bool somebody_waits = false;
    for (const Rank& rank : ranks_) {
      if (rank.gone) continue;
      if (rank.waits_in == nullptr || rank.ready(rank.argument)) return;
      somebody_waits = true;
    }
    if (!somebody_waits) return;
    std::string text = "all ranks wait for one another:";
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      text += (r == 0 ? " rank " : ", rank ") + std::to_string(r);
      text += ranks_[r].gone ? std::string(" has returned") : " is in " + ranks_[r].waits_in->text();
    }
    give_up(text);
  }

  void give_up(const std::string& text) {
    if (failure_.empty()) failure_ = text;
    changed_.notify_all();
  }

  [[noreturn]] void released(const ThreadCall& call) const {
    throw Released("tpx::comm::Threads: " + std::string(call.what) + " was given up: " + failure_ +
                   tpx::detail::signature());
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Rank> ranks_;
  std::string failure_;
};

}  // namespace tpx::comm::detail
