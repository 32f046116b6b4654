// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <tpx/layout/extents.hpp>
#include <tpx/ops/op.hpp>

/// Dims as factors of a dim, and back: `heads x head_dim`, `{gate, up} x ffn`. What is split stays where it is,
/// so only the first of the factors can be.
namespace tpx {

namespace detail {

/// The layout after dim `dim` has become `parts` dims, of which the first is split as it was.
constexpr Spec unflattened(Spec spec, int dim, int parts) {
  for (int a = 0; a < max_axes; ++a) {
    AxisState s = spec[a];
    if (s.kind != Kind::shard || s.dim <= dim) continue;
    s.dim += parts - 1;
    spec = spec.with(a, s);
  }
  return spec;
}

/// The layout after dims `first` to `last` have become one.  @pre splits_none(spec, first + 1, last)
constexpr Spec flattened(Spec spec, int first, int last) {
  for (int a = 0; a < max_axes; ++a) {
    AxisState s = spec[a];
    if (s.kind != Kind::shard || s.dim <= last) continue;
    s.dim -= last - first;
    spec = spec.with(a, s);
  }
  return spec;
}

constexpr bool splits_none(Spec spec, int first, int last) {
  for (int d = first; d <= last; ++d)
    if (shard_count(spec, d) > 0) return false;
  return true;
}

template <bool fits, class... Facts>
constexpr void factors_are_not_balanced() {
  static_assert(
      fits,
      "tpx::unflatten: a Balanced dim may be cut within a factor: make the factors dims from the start "
      "and split the first one, Shard<d, Balanced, ...> (see operand)");
}
template <bool fits, class... Facts>
constexpr void axes_divide_the_first_factor() {
  static_assert(
      fits,
      "tpx::unflatten: the axes that split a dim divide the first of its factors, so that none is cut: "
      "make the factors dims from the start, Shard<d, Balanced, ...> takes any number of heads "
      "(see operand, extents_are, mesh)");
}
template <bool fits, class... Facts>
constexpr void only_the_first_factor_is_split() {
  static_assert(fits,
                "tpx::flatten: of the dims that become one only the first may be split, because the pieces of "
                "another do not lie together: keep them as dims, matmul<2> contracts both (see operand)");
}
template <bool fits, class... Facts>
constexpr void a_flat_dim_is_not_balanced() {
  static_assert(
      fits,
      "tpx::flatten: the pieces of a Balanced dim are not Balanced pieces of the flattened one: keep the "
      "dims, matmul<2> contracts both, or redistribute to Shard<d, Ragged, ...> (see operand)");
}

/// The same elements in other dims: the gradient's, too.
template <class T, class Mesh>
void flatten_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  tape.template give<T>(r.in[0], tape.gradient_buffer(r.out));
}

/// x's memory as a tensor of this shape and layout.
template <int N, std::uint32_t Bits, Tensor X>
auto seen_as(const X& x, const Shape& shape) {
  using Mesh = typename X::mesh_type;
  using T = typename X::element_type;
  using L = layout_from_spec<typename Mesh::axes, Bits>;
  Distribution(shape, Spec{Bits}, x.mesh().grid()).check(name(element_v<T>), Mesh::names());
  return record(
      DTensor<T, N, L, Mesh, track_of<X>>(x.mesh(), shape, x.shard()), &flatten_backward<T, Mesh>, [](auto&) {},
      x);
}

}  // namespace detail

/// A dim as several, the last one contiguous: the same memory.
///
///   y[i..., j_0, j_1, ...] = x[i..., (j_0 n_1 + j_1) n_2 + ...]      n the extents of the parts
///
///   x  [b,s,768@tp]    unflatten<2>(x, {12, 64})    y  [b,s,12@tp,64]
///
/// The parts are a braced list, or static_extents<12, 64>, which the compiler checks on Sized axes.
/// @pre    the parts multiply to the extent. Split Even: the axes divide the first part; Ragged: each piece is
///         a multiple of the others' product; a Balanced dim is refused
/// @comm   none, forward or backward
/// @throws tpx::Error where the parts do not multiply to the extent, or the dim is cut within a part
template <int Dim, Tensor X, ExtentsLike S>
auto unflatten(const X& x, const S& parts) {
  constexpr int n = S::ndim;
  constexpr bool has_dim = 0 <= Dim && Dim < X::ndim;
  static_assert(has_dim,
                "tpx::unflatten: the dim is one of the operand's, 0 to ndim - 1, and not counted from the end");
  constexpr bool few = !has_dim || X::ndim + n - 1 <= Spec::max_dims;
  static_assert(few, "tpx::unflatten: a tensor has at most 12 dims");
  constexpr bool fits = !has_dim || detail::partition_of(X::spec, Dim) != Partition::balanced;
  constexpr bool whole = [] {
    if constexpr (has_dim && detail::is_static<S> && S::ndim > 0)
      return detail::divides(S::shape()[0], Dim, X::spec, X::mesh_type::static_sizes);
    else
      return true;
  }();
  detail::factors_are_not_balanced<fits, detail::operand<0, typename X::layout_type>>();
  detail::axes_divide_the_first_factor<whole, detail::operand<0, typename X::layout_type>,
                                       detail::extents_are<S>, detail::mesh<typename X::mesh_type::axes>>();
  if constexpr (!has_dim || !few || !fits || !whole) {
    return refused{};
  } else {
    constexpr Spec spec = detail::unflattened(X::spec, Dim, n);
    const detail::Region region("tpx::unflatten");
    Shape shape;
    for (int d = 0; d < Dim; ++d) shape.push_back(x.extent(d));
    for (int d = 0; d < n; ++d) shape.push_back(parts.shape()[d]);
    for (int d = Dim + 1; d < X::ndim; ++d) shape.push_back(x.extent(d));
    TPX_EXPECTS(shape.count(Dim, Dim + n) == x.extent(Dim), x.describe(), Dim,
                "the parts multiply to the extent");
    if constexpr (detail::is_ragged(X::spec)) {
      for (int d = 0; d < X::ndim; ++d) {
        if (detail::partition_of(X::spec, d) != Partition::ragged) continue;
        const std::span<const std::int64_t> pieces = x.shape().pieces(d);
        std::vector<std::int64_t> sizes(pieces.begin(), pieces.end());
        if (d == Dim) {
          const std::int64_t inner = shape.count(Dim + 1, Dim + n);
          for (std::int64_t& size : sizes) {
            TPX_EXPECTS(inner != 0 && size % inner == 0, size, inner, x.describe(),
                        "no piece ends within a part");
            size /= inner;
          }
        }
        shape = shape.with_pieces(d <= Dim ? d : d + n - 1, std::move(sizes));
      }
    }
    return detail::seen_as<X::ndim + n - 1, spec.bits>(x, shape);
  }
}

template <int Dim, std::size_t Parts, Tensor X>
auto unflatten(const X& x, const std::int64_t (&parts)[Parts]) {
  return unflatten<Dim>(x, extents(parts));
}

/// Neighbouring dims as one: the same memory.
///
///   y[i..., (j_0 n_1 + j_1) n_2 + ...] = x[i..., j_0, j_1, ...]      n the extents of dims First to Last
///
///   x  [b,s,12@tp,64]    flatten<2, 3>(x)    y  [b,s,768@tp]
///
/// @pre    of the dims only the first is split, Even or Ragged
/// @comm   none, forward or backward
template <int First, int Last, Tensor X>
auto flatten(const X& x) {
  constexpr bool has_dims = 0 <= First && First <= Last && Last < X::ndim;
  static_assert(has_dims,
                "tpx::flatten: the dims are the operand's, counted from 0, the first one before the last");
  constexpr bool leads = !has_dims || detail::splits_none(X::spec, First + 1, Last);
  constexpr bool cut =
      !has_dims || First == Last || detail::partition_of(X::spec, First) != Partition::balanced;
  detail::only_the_first_factor_is_split<leads, detail::operand<0, typename X::layout_type>>();
  detail::a_flat_dim_is_not_balanced<cut || !leads, detail::operand<0, typename X::layout_type>>();
  if constexpr (!has_dims || !leads || !cut) {
    return refused{};
  } else {
    constexpr Spec spec = detail::flattened(X::spec, First, Last);
    constexpr int gone = Last - First;
    const detail::Region region("tpx::flatten");
    Shape shape;
    for (int d = 0; d < First; ++d) shape.push_back(x.extent(d));
    shape.push_back(x.shape().count(First, Last + 1));
    for (int d = Last + 1; d < X::ndim; ++d) shape.push_back(x.extent(d));
    if constexpr (detail::is_ragged(X::spec)) {
      for (int d = 0; d < X::ndim; ++d) {
        if (detail::partition_of(X::spec, d) != Partition::ragged) continue;
        const std::span<const std::int64_t> pieces = x.shape().pieces(d);
        std::vector<std::int64_t> sizes(pieces.begin(), pieces.end());
        if (d == First)
          for (std::int64_t& size : sizes) size *= x.shape().count(First + 1, Last + 1);
        shape = shape.with_pieces(d <= First ? d : d - gone, std::move(sizes));
      }
    }
    return detail::seen_as<X::ndim - gone, spec.bits>(x, shape);
  }
}

template <int Dim, std::size_t Parts>
refused unflatten(refused, const std::int64_t (&)[Parts]) {
  return {};
}
template <int Dim, ExtentsLike S>
refused unflatten(refused, const S&) {
  return {};
}
template <int First, int Last>
refused flatten(refused) {
  return {};
}

}  // namespace tpx
