// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/layout/pieces.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// The extents of a tensor, in elements, dim 0 first (row-major: the last dim is contiguous), and the sizes of
/// the pieces where a dim is to be split Ragged.
class Shape {
 public:
  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<std::int64_t> extents) {
    for (const std::int64_t e : extents) push_back(e);
  }

  constexpr int ndim() const { return ndim_; }
  constexpr std::int64_t operator[](int dim) const { return extent_[dim]; }
  constexpr std::int64_t& operator[](int dim) { return extent_[dim]; }

  constexpr void push_back(std::int64_t extent) {
    if (ndim_ == Spec::max_dims) throw Error("tpx::Shape: a tensor has at most 12 dims");
    extent_[ndim_++] = extent;
  }

  /// Product of the extents from dim `first` up to, not including, dim `last`.
  constexpr std::int64_t count(int first, int last) const {
    std::int64_t n = 1;
    for (int d = first; d < last; ++d) n *= extent_[d];
    return n;
  }
  /// Number of elements.
  constexpr std::int64_t count() const { return count(0, ndim_); }

  /// This shape with the sizes of the pieces of one dim, for a Ragged split of it: one number for each rank of
  /// the axes that will split it, in their order, the first axis major.
  /// @throws tpx::Error where a size is negative, or they do not add up to the extent
  Shape with_pieces(int dim, std::vector<std::int64_t> sizes) const {
    if (dim < 0 || dim >= ndim_)
      throw Error("tpx::Shape::with_pieces: dim " + std::to_string(dim) + " of " + std::to_string(ndim_) +
                  " dims");
    for (const std::int64_t size : sizes)
      if (size < 0) throw Error("tpx::Shape::with_pieces: the size of a piece is not negative");
    std::int64_t rest = extent_[dim];
    for (const std::int64_t size : sizes) {
      if (size > rest)
        throw Error("tpx::Shape::with_pieces: the sizes of the pieces of dim " + std::to_string(dim) +
                    " add up to more than its extent, which is " + std::to_string(extent_[dim]));
      rest -= size;
    }
    if (rest != 0)
      throw Error("tpx::Shape::with_pieces: the sizes of the pieces of dim " + std::to_string(dim) +
                  " add up to " + std::to_string(extent_[dim] - rest) + ", its extent is " +
                  std::to_string(extent_[dim]));
    std::vector<detail::PieceTable> tables;
    for (const detail::PieceTable& table : pieces_.tables())
      if (table.dim != dim) tables.push_back(table);
    tables.push_back({dim, 0, std::move(sizes)});
    return with_pieces(detail::Pieces(std::move(tables)));
  }
  /// The sizes given to with_pieces; none for a dim without.
  std::span<const std::int64_t> pieces(int dim) const {
    for (const detail::PieceTable& table : pieces_.tables())
      if (table.dim == dim) return table.sizes;
    return {};
  }

  Shape with_pieces(detail::Pieces pieces) const {
    Shape s = *this;
    s.pieces_ = std::move(pieces);
    return s;
  }
  constexpr const detail::Pieces& pieces() const { return pieces_; }

  /// The same extents; how they are to be cut is not compared.
  friend constexpr bool operator==(const Shape& a, const Shape& b) {
    if (a.ndim_ != b.ndim_) return false;
    for (int d = 0; d < a.ndim_; ++d)
      if (a.extent_[d] != b.extent_[d]) return false;
    return true;
  }

 private:
  int ndim_ = 0;
  std::int64_t extent_[Spec::max_dims]{};
  detail::Pieces pieces_;
};

}  // namespace tpx
