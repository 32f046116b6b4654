// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/error.hpp>
#include <tpx/tensor/buffer.hpp>

namespace tpx {

/// Memory that was asked for once is kept and given out again, so that a step that repeats allocates
/// nothing after the first time.
///
/// Sizes are rounded up to a quarter of a power of two, at least 256 bytes. Memory given back may be given
/// out at once: whoever uses it does so in the order of one execution-space instance.
///
/// Buffers may outlive the pool: the system gets their memory back from the last holder of each.
///
/// @tparam Memory  has static `void* allocate(std::int64_t bytes)` and `void deallocate(void*)`
template <class Memory>
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    for (detail::Block* block : made_) {
      block->release = &give_up;
      if (block->holders == 0) give_up(block);
    }
  }

  /// Asks for memory here first, and of Memory where there is none: for memory that peers see.
  void draw_from(comm::MemorySource source) { source_ = std::move(source); }
  const comm::MemorySource& source() const { return source_; }

  /// Memory of at least `bytes`, content undefined.
  /// @throws tpx::Error where the memory in use would exceed the limit
  Buffer allocate(std::int64_t bytes) {
    const int size_class = class_of(bytes);
    auto& blocks = free_[static_cast<std::size_t>(size_class)];
    if (limit_ > 0 && in_use_ + capacity_of(size_class) > limit_)
      fail("tpx::Pool: " + std::to_string(in_use_) + " bytes are in use and " + std::to_string(bytes) +
           " more are needed, which exceeds the limit of " + std::to_string(limit_) + " bytes on this rank");
    if (blocks.empty()) blocks.push_back(fresh(size_class));
    detail::Block* block = blocks.back();
    blocks.pop_back();
    block->bytes = bytes;
    in_use_ += block->capacity;
    peak_ = std::max(peak_, in_use_);
    return Buffer(block);
  }

  /// How often memory was asked of the system: constant once the steady state is reached.
  std::int64_t allocations() const { return allocations_; }
  /// How often of these the source had none: peers do not see such memory, and what they need of it is copied.
  std::int64_t fallbacks() const { return fallbacks_; }
  /// Bytes given out now, and the most there ever were.
  std::int64_t in_use() const { return in_use_; }
  std::int64_t peak() const { return peak_; }
  void reset_peak() { peak_ = in_use_; }
  /// What so many bytes take.
  static std::int64_t capacity(std::int64_t bytes) { return capacity_of(class_of(bytes)); }
  /// Bytes that may be in use at once; 0 for no limit.
  void set_limit(std::int64_t bytes) { limit_ = bytes; }

 private:
  static constexpr int smallest_bits = 8;

  // Four classes an octave: 256, 320, 384, 448, 512, 640, ...
  static int class_of(std::int64_t bytes) {
    const auto n = static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 1) - 1) >> (smallest_bits - 2);
    if (n < 4) return 0;
    const int octave = static_cast<int>(std::bit_width(n)) - 3;
    return octave * 4 + static_cast<int>((n >> octave) & 3u) + 1;
  }
  static std::int64_t capacity_of(int size_class) {
    return (std::int64_t{4} + size_class % 4) << (size_class / 4 + smallest_bits - 2);
  }

  detail::Block* fresh(int size_class) {
    auto* block = new detail::Block;
    block->capacity = capacity_of(size_class);
    block->owner = this;
    block->release = [](detail::Block* b) { static_cast<Pool*>(b->owner)->take_back(b); };
    try {
      if (source_) block->lender = source_(block->capacity);
      if (source_ && !block->lender) ++fallbacks_;
      block->data = block->lender ? block->lender.get() : Memory::allocate(block->capacity);
      made_.push_back(block);
    } catch (...) {
      give_up(block);
      throw;
    }
    ++allocations_;
    return block;
  }

  static void give_up(detail::Block* block) {
    if (block->data != nullptr && !block->lender) Memory::deallocate(block->data);
    delete block;
  }

  void take_back(detail::Block* block) {
    in_use_ -= block->capacity;
    free_[static_cast<std::size_t>(class_of(block->capacity))].push_back(block);
  }

  comm::MemorySource source_;
  std::vector<detail::Block*> made_;
  std::vector<std::vector<detail::Block*>> free_ = std::vector<std::vector<detail::Block*>>(64 * 4);
  std::int64_t allocations_ = 0;
  std::int64_t fallbacks_ = 0;
  std::int64_t in_use_ = 0;
  std::int64_t peak_ = 0;
  std::int64_t limit_ = 0;
};

}  // namespace tpx
