// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <tpx/comm/call.hpp>
#include <tpx/comm/patience.hpp>
#include <tpx/comm/shared_memory_file.hpp>
#include <tpx/comm/shared_memory_heap.hpp>
#include <tpx/core/config.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// Where in the shared heap a rank's buffers start; -1 where they do not lie there.
struct SharedOffsets {
  std::int64_t send = -1;
  std::int64_t recv = -1;
};

// Two lines, because processors fetch the neighbour of a line too.
inline constexpr std::size_t shared_line = 128;

/// The memory that the ranks of a group share, and their meetings in it.
///
/// A meeting: each rank stores the number of the meeting in its flag (release), after what it shows the
/// others, and waits until each flag has come that far (acquire). Slots alternate, so nobody waits for
/// the readers: a rank that writes a slot again has met the others since, who had read it before they came.
class SharedWindow {
 public:
  static constexpr int max_ranks = 64;
  static constexpr std::int64_t slot_bytes = 128 * 1024;
  static constexpr std::int64_t message_bytes = 16 * 1024;

  /// What one rank tells the others in a meeting. Two of them take turns, so what was said stays until the
  /// meeting after the next.
  struct alignas(shared_line) Flag {
    std::atomic<std::uint64_t> met{0};
    Call call{};
    SharedOffsets offsets{};
    Caller caller{};  ///< where checks communicate
  };
  static_assert(sizeof(Flag) == shared_line, "tpx::comm::SharedMemory: what a meeting reads is in one place");
  struct alignas(shared_line) Presence {
    std::atomic<std::int64_t> process{0};
    std::atomic<bool> left{false};
  };
  /// A message's way from one rank to another: the sender's side and the receiver's, in pieces.
  struct alignas(shared_line) Sent {
    std::atomic<std::uint64_t> pieces{0};
    Call call{};
  };
  struct alignas(shared_line) Received {
    std::atomic<std::uint64_t> pieces{0};
    std::atomic<std::uint64_t> refused{0};  ///< the first piece of the last message that was not accepted
    Call expected{};                        ///< instead of it
  };
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
                "tpx::comm::SharedMemory: atomics work between processes");

  static std::size_t bytes(int ranks) { return Layout(ranks).end; }

  /// To be called by one rank, before the others know of the memory.
  static void construct(void* memory, int ranks) {
    const Layout at(ranks);
    char* const base = static_cast<char*>(memory);
    new (base) Dead;
    for (std::size_t r = 0; r < at.ranks; ++r) {
      for (std::size_t turn = 0; turn < 2; ++turn) new (base + at.flags + (2 * r + turn) * sizeof(Flag)) Flag;
      new (base + at.presences + r * sizeof(Presence)) Presence;
    }
    for (std::size_t pair = 0; pair < at.ranks * at.ranks; ++pair) {
      new (base + at.sent + pair * sizeof(Sent)) Sent;
      new (base + at.received + pair * sizeof(Received)) Received;
    }
  }

  /// @pre the memory is constructed; all ranks meet before the first call
  SharedWindow(SharedFile file, int rank, int ranks)
      : file_(std::move(file)),
        at_(ranks),
        base_(static_cast<char*>(file_.memory())),
        rank_(rank),
        ranks_(ranks) {
    presence(rank).process.store(::getpid(), std::memory_order_release);
    // Pages come to the memory of whoever touches them first.
    for (int s = 0; s < 2; ++s) {
      for (std::int64_t b = 0; b < slot_bytes; b += 4096) *static_cast<volatile char*>(slot(rank) + b) = 0;
      next_slot();
    }
  }
  SharedWindow(const SharedWindow&) = delete;
  SharedWindow& operator=(const SharedWindow&) = delete;
  // No meeting: the memory lives as long as anybody uses it.
  ~SharedWindow() { presence(rank_).left.store(true, std::memory_order_release); }

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }

  /// The current slot of a rank.
  char* slot(int rank) const {
    return base_ + at_.slots +
           (2 * static_cast<std::size_t>(rank) + turn_) * static_cast<std::size_t>(slot_bytes);
  }
  void next_slot() { turn_ = 1 - turn_; }

  Sent& sent(int from, int to) const { return *at<Sent>(at_.sent, pair(from, to)); }
  Received& received(int from, int to) const { return *at<Received>(at_.received, pair(from, to)); }
  char* message(int from, int to, std::uint64_t piece) const {
    return base_ + at_.messages +
           (2 * pair(from, to) + static_cast<std::size_t>(piece % 2)) * static_cast<std::size_t>(message_bytes);
  }

  /// Waits until all ranks have come; what each wrote before is then seen by all.
  ///
  /// @throws tpx::Error when a rank died or left the group, or, on every rank, when their calls differ
  void meet(const Call& call, const SharedOffsets& buffers = {}) {
    const std::uint64_t now = ++meetings_;
    Flag& mine = flag(rank_, now);
    mine.call = call;
    mine.offsets = buffers;
    if constexpr (check_level >= check_level_collective) mine.caller.set();
    mine.met.store(now, std::memory_order_release);
    // Ranks that are in step write at the same time: who reads a line just before takes it from its writer.
    Patience::pause();
    bool differ = false;
    for (int other = 0; other < ranks_; ++other) {
      if (other == rank_) continue;
      const Flag& theirs = flag(other, now);
      if (theirs.met.load(std::memory_order_acquire) < now) wait_for(other, now, call);
      differ = differ || theirs.call != call;
    }
    if (differ) [[unlikely]]
      calls_differ(now);
  }

  /// Of a rank, in the last meeting.
  SharedOffsets offsets(int rank) const { return flag(rank, meetings_).offsets; }

  /// Why nothing more will come from a rank, and so from the group: empty where it may.
  std::string missing(int other) {
    // In this order: a rank says that it leaves before it ends, and who is dead before it leaves for that.
    const Presence& p = presence(other);
    const std::int64_t process = p.process.load(std::memory_order_acquire);
    // A lock of one's own cannot be asked for: ranks that are threads of one process end together.
    const bool lives = process == ::getpid() || file_.claimed(other);
    const bool left = p.left.load(std::memory_order_acquire);
    std::int32_t dead = this->dead().load(std::memory_order_acquire) - 1;
    if (dead < 0 && left)
      return "rank " + std::to_string(other) +
             (lives ? " has left the group: it failed, or makes fewer calls" : " has left the group and ended");
    if (dead < 0 && lives) return {};
    if (dead < 0) {
      // The others, who may wait for this rank next, learn of the cause.
      std::int32_t nobody = 0;
      this->dead().compare_exchange_strong(nobody, other + 1);
      dead = nobody == 0 ? other : nobody - 1;
    }
    return "rank " + std::to_string(dead) + " is dead: its process " +
           std::to_string(presence(dead).process.load(std::memory_order_acquire)) + " has ended";
  }

  /// Where checks communicate: shows all ranks of the heap what this one waits in.
  ///
  /// @pre    this thread has Entered the call
  /// @throws tpx::Error where it has waited too long, with what each of them waits in
  void expect_in_time(const Call& call, const Patience& patience) const {
    if constexpr (check_level >= check_level_collective) {
      if (heap_ != nullptr) heap_->board().write(Entered::innermost()->text());
      if (patience.waited() < timeout()) return;
      std::string trouble = waited_too_long(patience.waited());
      for (int rank = 0; heap_ != nullptr && rank < heap_->ranks(); ++rank)
        trouble += (rank == 0 ? ". Of all that share the memory rank " : ", rank ") + std::to_string(rank) +
                   waits_in(heap_->board(rank).read());
      give_up(call, trouble);
    }
  }
  /// What this rank waited for came.
  void came() const {
    if constexpr (check_level >= check_level_collective)
      if (heap_ != nullptr) heap_->board().write("");
  }
  void show_waits_on(std::shared_ptr<SharedHeap> heap) { heap_ = std::move(heap); }

  [[noreturn]] void give_up(const Call& call, const std::string& trouble) const {
    fail("tpx::comm::SharedMemory: " + call.text() + over(group_) + " was given up on rank " +
         std::to_string(rank_) + " of " + std::to_string(ranks_) + ": " + trouble);
  }

  /// The group's name in errors.
  void set_group(std::string_view name) { group_ = name; }
  const std::string& group() const { return group_; }

  std::string claim() { return file_.claim(rank_); }

 private:
  struct alignas(shared_line) Dead {
    std::atomic<std::int32_t> rank_and_one{0};
  };

  /// Where things are, in bytes.
  struct Layout {
    explicit Layout(int n) : ranks(static_cast<std::size_t>(n)) {
      flags = sizeof(Dead);
      presences = flags + 2 * ranks * sizeof(Flag);
      sent = presences + ranks * sizeof(Presence);
      received = sent + ranks * ranks * sizeof(Sent);
      slots = up(received + ranks * ranks * sizeof(Received));
      messages = slots + 2 * ranks * static_cast<std::size_t>(slot_bytes);
      end = messages + 2 * ranks * ranks * static_cast<std::size_t>(message_bytes);
    }
    static std::size_t up(std::size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

    std::size_t ranks, flags, presences, sent, received, slots, messages, end;
  };

  template <class T>
  T* at(std::size_t offset, std::size_t index) const {
    return std::launder(reinterpret_cast<T*>(base_ + offset + index * sizeof(T)));
  }
  std::size_t pair(int from, int to) const {
    return static_cast<std::size_t>(from) * at_.ranks + static_cast<std::size_t>(to);
  }
  Flag& flag(int rank, std::uint64_t meeting) const {
    return *at<Flag>(at_.flags, 2 * static_cast<std::size_t>(rank) + static_cast<std::size_t>(meeting % 2));
  }
  Presence& presence(int rank) const { return *at<Presence>(at_.presences, static_cast<std::size_t>(rank)); }
  std::atomic<std::int32_t>& dead() const { return at<Dead>(0, 0)->rank_and_one; }

  void wait_for(int other, std::uint64_t meeting, const Call& call) {
    const Entered here(call, group_, rank_, ranks_);
    const Flag& theirs = flag(other, meeting);
    Patience patience;
    while (theirs.met.load(std::memory_order_acquire) < meeting) {
      if (!patience.wait()) continue;
      const std::string trouble = missing(other);
      // It may have come, and gone after, while this rank looked.
      if (theirs.met.load(std::memory_order_acquire) >= meeting) break;
      if (!trouble.empty()) give_up(call, trouble);
      expect_in_time(call, patience);
    }
    came();
  }

  // The same text on every rank: each differs from another one. All have met, so they may go on.
  [[noreturn]] void calls_differ(std::uint64_t meeting) const {
    const auto said = [&](int rank) {
      const Flag& theirs = flag(rank, meeting);
      return Said{theirs.call, theirs.caller};
    };
    const Said first = said(0);
    int other = 1;
    while (said(other).call == first.call) ++other;
    fail(calls_differ_error("SharedMemory", group_, first, other, said(other)));
  }

  SharedFile file_;
  Layout at_;
  char* base_;
  std::string group_;
  std::shared_ptr<SharedHeap> heap_;  ///< of which every rank has a board
  int rank_;
  int ranks_;
  std::size_t turn_ = 0;
  std::uint64_t meetings_ = 0;
};

}  // namespace tpx::comm::detail
