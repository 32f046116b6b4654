// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/layout/layout.hpp>
#include <tpx/layout/shape.hpp>

namespace tpx {

/// The extents of a tensor whose number of dims the type knows: what a factory is given where a braced list
/// does not say enough.
///
///   zeros<float>(mesh, layout<Shard<0, Ragged, tp>>, extents({10, 4}).with_pieces(0, {3, 0, 7}))
template <int N>
class Extents {
 public:
  static constexpr int ndim = N;

  explicit Extents(Shape shape) : shape_(std::move(shape)) {}

  const Shape& shape() const { return shape_; }

  /// The sizes of the pieces of a dim that is split Ragged.  @throws tpx::Error as Shape::with_pieces
  Extents with_pieces(int dim, std::vector<std::int64_t> sizes) const {
    return Extents(shape_.with_pieces(dim, std::move(sizes)));
  }

 private:
  Shape shape_;
};

template <std::size_t N>
Extents<static_cast<int>(N)> extents(const std::int64_t (&list)[N]) {
  Shape shape;
  for (const std::int64_t e : list) shape.push_back(e);
  return Extents<static_cast<int>(N)>(std::move(shape));
}

/// Extents that the compiler knows: it checks that they divide, as far as it knows the axes' sizes.
template <std::int64_t... E>
struct StaticExtents {
  static_assert(((E >= 0) && ...), "tpx::static_extents: extents are not negative");
  static constexpr int ndim = static_cast<int>(sizeof...(E));
  static constexpr Shape shape() { return Shape{E...}; }
};

/// zeros<float>(mesh, layout<Shard<1, tp>>, static_extents<256, 1024>)
template <std::int64_t... E>
inline constexpr StaticExtents<E...> static_extents{};

/// What factories, wrap, gives and unflatten take for a shape.
template <class S>
concept ExtentsLike = requires(const S& s) {
  { S::ndim } -> std::convertible_to<int>;
  { s.shape() } -> std::convertible_to<Shape>;
};

namespace detail {

template <class S>
struct extents_are;
template <bool fits, class... Facts>
constexpr void an_extent_divides() {
  static_assert(fits,
                "tpx: an extent that is split evenly is a multiple of the sizes of the axes that split it; "
                "Shard<dim, Balanced, axes...> takes any extent (see extents_are, in_layout, mesh)");
}

/// Whether an extent of dim `dim` is a multiple of the sizes that are known, 0 standing for one that is not.
template <int Axes>
constexpr bool divides(std::int64_t extent, int dim, Spec spec, const int (&sizes)[Axes]) {
  std::int64_t product = 1;
  for (int a = 0; a < Axes; ++a)
    if (spec[a].kind == Kind::shard && spec[a].dim == dim && spec[a].partition == Partition::even &&
        sizes[a] > 0)
      product *= sizes[a];
  return extent % product == 0;
}
template <int Axes>
constexpr bool divides(const Shape& shape, Spec spec, const int (&sizes)[Axes]) {
  for (int d = 0; d < shape.ndim(); ++d)
    if (!divides(shape[d], d, spec, sizes)) return false;
  return true;
}

/// Whether the compiler knows the extents.
template <class S>
inline constexpr bool is_static = requires {
  typename std::bool_constant<(S::shape().ndim() >= 0)>;
};

/// Refuses, where the compiler knows the extents, those that the layout cannot split.
template <class S, class L, class Mesh>
constexpr void check_extents() {
  if constexpr (is_static<S>)
    an_extent_divides<divides(S::shape(), spec_v<L, typename Mesh::axes>, Mesh::static_sizes), extents_are<S>,
                      in_layout<L>, mesh<typename Mesh::axes>>();
}

}  // namespace detail
}  // namespace tpx
