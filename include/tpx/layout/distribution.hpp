// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include <tpx/core/error.hpp>
#include <tpx/layout/print.hpp>
#include <tpx/layout/shape.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// The sizes of a mesh's axes, and where on each of them a rank stands.
struct Grid {
  int axes = 0;
  int size[detail::max_axes]{1, 1, 1, 1};
  int coordinate[detail::max_axes]{};

  /// Number of ranks along a set of axes (a bit for each).
  constexpr int ranks(unsigned mask) const {
    int n = 1;
    for (int a = 0; a < axes; ++a)
      if (mask >> a & 1u) n *= size[a];
    return n;
  }
};

/// Place along a dim of the whole tensor. A type of its own, so that it cannot be taken for a local one.
struct GlobalIndex {
  std::int64_t value;
  friend constexpr bool operator==(GlobalIndex, GlobalIndex) = default;
};

/// Place along a dim of one rank's piece.
struct LocalIndex {
  std::int64_t value;
  friend constexpr bool operator==(LocalIndex, LocalIndex) = default;
};

/// The part of a dim that one rank holds: global indices [offset, offset + extent).
struct Piece {
  std::int64_t offset;
  std::int64_t extent;
  friend constexpr bool operator==(const Piece&, const Piece&) = default;
};

namespace detail {

/// Piece number `i` when [0, n) is cut into p, Even or Balanced.  @pre Even: n % p == 0
constexpr Piece cut(Partition partition, std::int64_t n, int p, int i) {
  const std::int64_t size = n / p;
  const std::int64_t larger = partition == Partition::balanced ? n % p : 0;
  return {size * i + (i < larger ? i : larger), size + (i < larger ? 1 : 0)};
}

}  // namespace detail

/// Which part of each dim the rank at `grid`'s coordinate holds.
///
///   global index  = offset(dim) + local index
///
/// | from            | to                | by                    |
/// | coordinate      | its piece         | piece(dim)            |
/// | local index     | global index      | to_global(dim, local) |
/// | global index    | local index       | to_local(dim, global), on the rank that holds it |
/// | global index    | owner's coordinate on the axes that split the dim | owner(dim, axis, global) |
class Distribution {
 public:
  constexpr Distribution(const Shape& global, Spec spec, const Grid& grid)
      : global_(global), spec_(spec), grid_(grid) {}

  constexpr int ndim() const { return global_.ndim(); }
  constexpr const Shape& global() const { return global_; }
  constexpr Spec spec() const { return spec_; }

  constexpr Piece piece(int dim) const { return piece(dim, grid_.coordinate); }

  /// What the rank at another coordinate holds.
  constexpr Piece piece(int dim, const int* coordinate) const {
    return piece(dim, coordinate, detail::shard_count(spec_, dim));
  }

  /// Extents of this rank's shard.
  constexpr Shape local() const {
    Shape s = global_;
    // Even pieces: in which order the axes split a dim makes no difference to the extents.
    for (int a = 0; a < grid_.axes; ++a) {
      const AxisState state = spec_[a];
      if (state.kind != Kind::shard) continue;
      if (state.partition == Partition::even)
        s[state.dim] /= grid_.size[a];
      else
        s[state.dim] = piece(state.dim).extent;
    }
    return s;
  }

  /// @pre 0 <= i < piece(dim).extent
  constexpr GlobalIndex to_global(int dim, LocalIndex i) const { return {piece(dim).offset + i.value}; }

  constexpr bool holds(int dim, GlobalIndex i) const {
    const Piece p = piece(dim);
    return p.offset <= i.value && i.value < p.offset + p.extent;
  }

  /// @pre holds(dim, i)
  constexpr LocalIndex to_local(int dim, GlobalIndex i) const { return {i.value - piece(dim).offset}; }

  /// Coordinate, along one of the axes that split `dim`, of the ranks that hold global index i.
  /// @pre `axis` splits `dim`, and 0 <= i < global extent
  constexpr int owner(int dim, int axis, GlobalIndex i) const {
    int coordinate[detail::max_axes]{};
    for (int order = 0;; ++order) {
      const int a = detail::shard_axis(spec_, dim, order);
      for (coordinate[a] = 0;; ++coordinate[a]) {
        const Piece p = piece(dim, coordinate, order + 1);
        if (p.offset <= i.value && i.value < p.offset + p.extent) break;
      }
      if (a == axis) return coordinate[a];
    }
  }

  /// Whether every extent that is split Even is a multiple of the sizes of the axes that split it.
  constexpr bool divides() const {
    for (int d = 0; d < ndim(); ++d)
      if (!divides(d)) return false;
    return true;
  }

  /// Number of pieces that `dim` is split into.
  constexpr int divisor(int dim) const {
    int p = 1;
    for (int a = 0; a < grid_.axes; ++a)
      if (spec_[a].kind == Kind::shard && spec_[a].dim == dim) p *= grid_.size[a];
    return p;
  }

  /// Throws tpx::Error, the same on every rank, where the layout cannot hold the shape.
  void check(std::string_view element, std::span<const std::string_view> names) const {
    // In bytes, of the largest element; an extent of 0 does not excuse the others, which are multiplied too.
    std::int64_t room = std::numeric_limits<std::int64_t>::max() / 8;
    for (int d = 0; d < ndim(); ++d) {
      if (global_[d] < 0)
        fail("tpx::Distribution: extents are not negative: " + print(element, global_, spec_, names));
      if (global_[d] > 0) room /= global_[d];
      if (room == 0)
        fail("tpx::Distribution: a tensor's bytes are counted by 63 bits: " +
             print(element, global_, spec_, names));
      if (!divides(d))
        fail("tpx::Distribution: dim " + std::to_string(d) + " of " + print(element, global_, spec_, names) +
             " is split into " + std::to_string(divisor(d)) + " pieces, which " + std::to_string(global_[d]) +
             " is not a multiple of");
      if (detail::partition_of(spec_, d) == Partition::ragged) check_pieces(d, element, names);
    }
    for (int a = 0; a < grid_.axes; ++a) {
      if (spec_[a].kind == Kind::shard && spec_[a].dim >= ndim())
        fail("tpx::Distribution: axis " + std::string(names[static_cast<std::size_t>(a)]) + " splits dim " +
             std::to_string(spec_[a].dim) + " of a tensor that has " + std::to_string(ndim()) + " dims");
    }
  }

 private:
  constexpr bool divides(int dim) const {
    return detail::partition_of(spec_, dim) != Partition::even || global_[dim] % divisor(dim) == 0;
  }

  /// The piece after the first `orders` of the axes that split the dim.
  constexpr Piece piece(int dim, const int* coordinate, int orders) const {
    Piece held{0, global_[dim]};
    const Partition partition = detail::partition_of(spec_, dim);
    if (partition == Partition::ragged) return ragged_piece(dim, coordinate, orders);
    for (int order = 0; order < orders; ++order) {
      const int a = detail::shard_axis(spec_, dim, order);
      const Piece part = detail::cut(partition, held.extent, grid_.size[a], coordinate[a]);
      held = {held.offset + part.offset, part.extent};
    }
    return held;
  }

  /// The pieces in the table are those of a split by more axes: of this one they are neighbours, `group` to a
  /// piece.
  Piece ragged_piece(int dim, const int* coordinate, int orders) const {
    const std::span<const std::int64_t> sizes = sizes_of(dim);
    std::size_t pieces = 1;
    std::size_t number = 0;
    for (int order = 0; order < orders; ++order) {
      const int a = detail::shard_axis(spec_, dim, order);
      pieces *= static_cast<std::size_t>(grid_.size[a]);
      number = number * static_cast<std::size_t>(grid_.size[a]) + static_cast<std::size_t>(coordinate[a]);
    }
    const std::size_t group = sizes.size() / pieces;
    Piece held{0, 0};
    for (std::size_t i = 0; i < number * group; ++i) held.offset += sizes[i];
    for (std::size_t i = 0; i < group; ++i) held.extent += sizes[number * group + i];
    return held;
  }

  std::span<const std::int64_t> sizes_of(int dim) const {
    const std::uint32_t axes = detail::axis_order(spec_, dim);
    for (const detail::PieceTable& table : global_.pieces().tables())
      if (table.dim == dim && (table.axes == 0 || detail::is_prefix(axes, table.axes))) return table.sizes;
    return {};
  }

  void check_pieces(int dim, std::string_view element, std::span<const std::string_view> names) const {
    const std::size_t have = sizes_of(dim).size();
    if (have == 0 || have % static_cast<std::size_t>(divisor(dim)) != 0)
      fail("tpx::Distribution: dim " + std::to_string(dim) + " of " + print(element, global_, spec_, names) +
           " is split Ragged into " + std::to_string(divisor(dim)) + " pieces: " +
           (have == 0 ? std::string("the shape says their sizes, by with_pieces, or in a text as :ragged(3,7)")
                      : std::to_string(have) + " sizes were given"));
  }

  Shape global_;
  Spec spec_;
  Grid grid_;
};

}  // namespace tpx
