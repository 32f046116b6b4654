// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/communicator.hpp>
#include <tpx/comm/shared_memory_file.hpp>
#include <tpx/core/config.hpp>

namespace tpx::comm::detail {

/// What a rank waits in, for the others to read who wait for too long. It may change while they do.
class Board {
 public:
  void write(std::string_view text) {
    for (std::size_t i = 0; i < text_.size(); ++i)
      text_[i].store(i + 1 < text_.size() && i < text.size() ? text[i] : '\0', std::memory_order_relaxed);
  }
  std::string read() const {
    std::string text;
    for (const std::atomic<char>& each : text_) {
      const char c = each.load(std::memory_order_relaxed);
      if (c == '\0') break;
      text += c;
    }
    return text;
  }

 private:
  std::array<std::atomic<char>, 256> text_{};
};

/// Memory of several processes that each of them sees: every rank has a part, from which it alone gives out
/// pieces, and reads and writes the parts of the others where they are. Where checks communicate, a part begins
/// with the rank's board.
///
/// A part reserves addresses, and takes memory where it is first written. Used by one thread of a rank.
class SharedHeap {
 public:
  static constexpr std::int64_t alignment = 128;

  /// What a node has, divided by its ranks: more than that cannot be used.
  static std::int64_t part_bytes(int ranks) {
    constexpr std::int64_t unit = std::int64_t{1} << 21;
    const std::int64_t memory = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
    return (memory > 0 ? memory : unit) / ranks / unit * unit + unit;
  }
  static std::size_t bytes(int ranks) {
    return static_cast<std::size_t>(ranks) * static_cast<std::size_t>(part_bytes(ranks));
  }

  SharedHeap(SharedFile file, int rank, int ranks)
      : file_(std::move(file)), part_(part_bytes(ranks)), rank_(rank), ranks_(ranks) {
    if constexpr (check_level >= check_level_collective) new (part(rank)) Board;
    free_[first_] = part_ - first_;
  }

  int ranks() const { return ranks_; }
  /// @pre checks communicate
  Board& board(int rank) const { return *std::launder(reinterpret_cast<Board*>(part(rank))); }
  Board& board() const { return board(rank_); }
  char* part(int rank) const { return static_cast<char*>(file_.memory()) + rank * part_; }

  /// How far into this rank's part the buffer starts; -1 where it does not lie in it, or not whole.
  std::int64_t offset_of(const void* buffer, std::int64_t bytes) const {
    const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(part(rank_));
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(buffer);
    if (at < first || at - first > static_cast<std::uintptr_t>(part_)) return -1;
    const std::int64_t offset = static_cast<std::int64_t>(at - first);
    return bytes <= part_ - offset ? offset : -1;
  }

  /// The first hole that is large enough; null where none is.
  void* allocate(std::int64_t bytes) {
    const std::int64_t size = (bytes < 1 ? alignment : bytes + alignment - 1) / alignment * alignment;
    for (auto hole = free_.begin(); hole != free_.end(); ++hole) {
      const auto [start, room] = *hole;
      if (room < size) continue;
      free_.erase(hole);
      if (room > size) free_[start + size] = room - size;
      used_[start] = size;
      return part(rank_) + start;
    }
    return nullptr;
  }

  void deallocate(void* data) {
    const auto piece = used_.find(static_cast<char*>(data) - part(rank_));
    auto [start, size] = *piece;
    used_.erase(piece);
    auto next = free_.lower_bound(start);
    if (next != free_.end() && start + size == next->first) {
      size += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin() && std::prev(next)->first + std::prev(next)->second == start) {
      std::prev(next)->second += size;
    } else {
      free_[start] = size;
    }
  }

 private:
  static constexpr std::int64_t first_ = check_level >= check_level_collective ? sizeof(Board) : 0;

  SharedFile file_;
  std::int64_t part_;
  int rank_;
  int ranks_;
  std::map<std::int64_t, std::int64_t> free_;  ///< holes by where they start
  std::map<std::int64_t, std::int64_t> used_;
};

/// The parts of a heap that belong to the ranks of one group.
class GroupHeap {
 public:
  GroupHeap() = default;
  GroupHeap(std::shared_ptr<SharedHeap> heap, std::vector<int> parts)
      : heap_(std::move(heap)), parts_(std::move(parts)) {}

  static GroupHeap whole(std::shared_ptr<SharedHeap> heap) {
    std::vector<int> parts(static_cast<std::size_t>(heap->ranks()));
    std::iota(parts.begin(), parts.end(), 0);
    return GroupHeap(std::move(heap), std::move(parts));
  }
  GroupHeap of(std::span<const int> members) const {
    std::vector<int> parts;
    for (const int member : members) parts.push_back(parts_[static_cast<std::size_t>(member)]);
    return GroupHeap(heap_, std::move(parts));
  }

  std::int64_t offset_of(const void* buffer, std::int64_t bytes) const {
    return bytes == 0 ? 0 : heap_->offset_of(buffer, bytes);
  }
  char* at(int rank, std::int64_t offset) const {
    return heap_->part(parts_[static_cast<std::size_t>(rank)]) + offset;
  }

  const std::shared_ptr<SharedHeap>& shared() const { return heap_; }

  /// Keeps the heap alive, and its pieces do too.
  MemorySource source() const {
    return [heap = heap_](std::int64_t bytes) {
      void* const data = heap->allocate(bytes);
      if (data == nullptr) return std::shared_ptr<void>();
      return std::shared_ptr<void>(data, [heap](void* piece) { heap->deallocate(piece); });
    };
  }

 private:
  std::shared_ptr<SharedHeap> heap_;
  std::vector<int> parts_;
};

}  // namespace tpx::comm::detail
