// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <tpx/layout/spec.hpp>

namespace tpx::detail {

/// The sizes of a Ragged dim's pieces, in the order of the ranks along the axes that split it: one number a
/// rank of all these axes together, the first axis major. A coarser split has the sums.
struct PieceTable {
  int dim = 0;
  std::uint32_t axes = 0;  ///< the axes that split the dim, as axis_order writes them; 0: whichever do
  std::vector<std::int64_t> sizes;

  friend bool operator==(const PieceTable&, const PieceTable&) = default;
};

/// The axes that split `dim`, major first: one hexadecimal digit each, axis number + 1, the first one lowest.
constexpr std::uint32_t axis_order(Spec spec, int dim) {
  std::uint32_t code = 0;
  for (int order = 0; order < shard_count(spec, dim); ++order)
    code |= static_cast<std::uint32_t>(shard_axis(spec, dim, order) + 1) << (4 * order);
  return code;
}

/// Whether the axes `coarse` come first in `fine`.
constexpr bool is_prefix(std::uint32_t coarse, std::uint32_t fine) {
  for (; coarse != 0; coarse >>= 4, fine >>= 4)
    if ((coarse & 15u) != (fine & 15u)) return false;
  return true;
}

/// Tables that tensors share and nobody changes. A pointer that counts its uses, and unlike std::shared_ptr
/// one that a constant expression may hold, empty.
class Pieces {
 public:
  constexpr Pieces() = default;
  explicit Pieces(std::vector<PieceTable> tables) : held_(new Held{1, std::move(tables)}) {}
  constexpr Pieces(const Pieces& other) : held_(other.held_) {
    if (held_ != nullptr) held_->uses.fetch_add(1, std::memory_order_relaxed);
  }
  constexpr Pieces(Pieces&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  constexpr Pieces& operator=(Pieces other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  constexpr ~Pieces() {
    if (held_ != nullptr && held_->uses.fetch_sub(1, std::memory_order_acq_rel) == 1) delete held_;
  }

  constexpr bool empty() const { return held_ == nullptr; }
  std::span<const PieceTable> tables() const {
    return held_ == nullptr ? std::span<const PieceTable>{} : std::span<const PieceTable>(held_->tables);
  }

 private:
  struct Held {
    std::atomic<int> uses;
    std::vector<PieceTable> tables;
  };
  Held* held_ = nullptr;
};

}  // namespace tpx::detail
