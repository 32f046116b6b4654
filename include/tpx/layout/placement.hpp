// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <type_traits>

#include <tpx/layout/axis.hpp>

namespace tpx {

/// The ranks along each axis hold different pieces of dim Dim. Over several axes the split is nested: the
/// first axis splits the dim, the next one each piece, so `Shard<0, dp, tp>` is not `Shard<0, tp, dp>`.
/// The extent must be a multiple of the axes' sizes. Gradient: the same Shard.
template <int Dim, class... Axes>
struct Shard {
  static_assert(Dim >= 0 && Dim < 12, "tpx::Shard: a dim is counted from 0, and is less than 12");
  static_assert((MeshAxis<Axes> && ...), "tpx::Shard: an axis is an empty struct with a static name");
};

/// The ranks hold the same value and use it for different work. Gradient: Partial.
template <class... Axes>
struct Replicate {
  static_assert((MeshAxis<Axes> && ...), "tpx::Replicate: an axis is an empty struct with a static name");
};

/// The ranks hold terms that are still to be summed. Gradient: Replicate.
template <class... Axes>
struct Partial {
  static_assert((MeshAxis<Axes> && ...), "tpx::Partial: an axis is an empty struct with a static name");
};

/// The ranks hold the same value, and the gradient is the same value on each too. What an axis that is not
/// named is; spelled only where a layout changes to it.
template <class... Axes>
struct Invariant {
  static_assert((MeshAxis<Axes> && ...), "tpx::Invariant: an axis is an empty struct with a static name");
};

namespace detail {

template <class Axis, class Placement>
inline constexpr int count_axis = 0;
template <class Axis, template <class...> class Placement, class... Axes>
inline constexpr int count_axis<Axis, Placement<Axes...>> = (0 + ... + int(std::is_same_v<Axis, Axes>));
template <class Axis, int Dim, class... Axes>
inline constexpr int count_axis<Axis, Shard<Dim, Axes...>> = (0 + ... + int(std::is_same_v<Axis, Axes>));

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
