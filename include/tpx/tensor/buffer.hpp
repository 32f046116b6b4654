// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace tpx {

namespace detail {

/// A piece of memory and how many Buffers hold it. Not shared between threads: a rank is one thread, and
/// its memory is its own.
struct Block {
  void* data = nullptr;
  std::int64_t bytes = 0;     ///< as asked for
  std::int64_t capacity = 0;  ///< as kept by the pool
  std::int64_t holders = 0;
  void (*release)(Block*) = nullptr;  ///< gives it back: to its pool, or to whoever lent it
  void* owner = nullptr;
  std::shared_ptr<void> lender;     ///< keeps borrowed memory alive, where it has an owner
  void (*fetch)(Block*) = nullptr;  ///< brings memory that may be away, before it is used
  bool away = false;
};

}  // namespace detail

/// Shared ownership of a piece of memory, counted; the last holder gives it back. An empty one holds none.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(detail::Block* block) : block_(block) {
    if (block_ != nullptr) ++block_->holders;
  }
  Buffer(const Buffer& other) : Buffer(other.block_) {}
  Buffer(Buffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Buffer() { reset(); }

  void reset() {
    if (block_ != nullptr && --block_->holders == 0) block_->release(block_);
    block_ = nullptr;
  }

  explicit operator bool() const { return block_ != nullptr; }

  template <class T>
  T* as() const {
    return block_ == nullptr ? nullptr : static_cast<T*>(block_->data);
  }
  std::int64_t bytes() const { return block_ == nullptr ? 0 : block_->bytes; }
  /// Whether nobody else holds the memory, so that it may be overwritten. Borrowed memory has another holder:
  /// its owner.
  bool unique() const { return block_ != nullptr && block_->holders == 1 && block_->owner != nullptr; }

  /// Brings the memory where it may be away: a parameter whose pieces lie on several ranks. Ops call it before
  /// they use their operands, the tape before it uses what they saved, on all ranks alike.
  void fetch() const {
    if (block_ != nullptr && block_->fetch != nullptr) block_->fetch(block_);
  }
  bool away() const { return block_ != nullptr && block_->away; }
  detail::Block* block() const { return block_; }

  /// Memory that somebody else owns; `lender` keeps it alive where it can.
  static Buffer borrow(void* data, std::int64_t bytes, std::shared_ptr<void> lender) {
    auto* block = new detail::Block;
    block->data = data;
    block->bytes = bytes;
    block->lender = std::move(lender);
    block->release = [](detail::Block* b) { delete b; };
    return Buffer(block);
  }

 private:
  detail::Block* block_ = nullptr;
};

}  // namespace tpx
