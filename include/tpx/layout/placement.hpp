// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <type_traits>

#include <tpx/layout/axis.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// The ranks along each axis hold different pieces of dim Dim. Over several axes the split is nested: the
/// first axis splits the dim, the next one each piece, so `Shard<0, dp, tp>` is not `Shard<0, tp, dp>`.
/// The extent must be a multiple of the axes' sizes. Gradient: the same Shard.
template <int Dim, class... Axes>
struct Shard {};

/// The ranks hold the same value and use it for different work. Gradient: Partial.
template <class... Axes>
struct Replicate {};

/// The ranks hold terms that are still to be summed. Gradient: Replicate.
template <class... Axes>
struct Partial {};

/// The ranks hold the same value, and the gradient is the same value on each too. What an axis that is not
/// named is; spelled only where a layout changes to it.
template <class... Axes>
struct Invariant {};

namespace detail {

/// What a placement says: the state, and on which axes. Anything else names no axis.
template <class Placement>
struct parts {
  static constexpr Kind kind = Kind::invariant;
  static constexpr int dim = 0;
  using axes = AxisList<>;
};
template <Kind placement_kind, int placement_dim, class... Axes>
struct known_parts {
  static constexpr Kind kind = placement_kind;
  static constexpr int dim = placement_dim;
  using axes = AxisList<Axes...>;
};
template <class... Axes>
struct parts<Invariant<Axes...>> : known_parts<Kind::invariant, 0, Axes...> {};
template <class... Axes>
struct parts<Replicate<Axes...>> : known_parts<Kind::replicate, 0, Axes...> {};
template <class... Axes>
struct parts<Partial<Axes...>> : known_parts<Kind::partial, 0, Axes...> {};
template <int Dim, class... Axes>
struct parts<Shard<Dim, Axes...>> : known_parts<Kind::shard, Dim, Axes...> {};

/// How often a list has an axis.
template <class Axis, class List>
inline constexpr int count_axis = 0;
template <class Axis, class... Axes>
inline constexpr int count_axis<Axis, AxisList<Axes...>> = (0 + ... + int(std::is_same_v<Axis, Axes>));

// Words of a refusal: a compiler prints the template arguments of the function whose static_assert failed,
// so facts are given there as short types.
template <class Axis>
struct axis;
template <class List>
struct mesh;
template <class Placement>
struct in_placement;
template <class... Placements>
struct in_layout;

}  // namespace detail
}  // namespace tpx
