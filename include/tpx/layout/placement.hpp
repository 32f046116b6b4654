// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <type_traits>

#include <tpx/layout/axis.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// The default of a Shard: all pieces have one size, which is checked where a tensor is made.
struct Even {};
/// The pieces differ by one element at most, the larger ones come first: 9 heads on 2 ranks are 5 + 4.
struct Balanced {};
/// The sizes of the pieces are known at run time: `Shape{10, 4}.with_pieces(0, {3, 0, 7})`.
struct Ragged {};

/// The terms are summed: the default of a Partial.
struct Sum {};
/// The largest of the terms is meant. Without a gradient; all that can be done with it is redistribute.
struct Max {};
/// The smallest of the terms is meant; as Max.
struct Min {};

template <class Axis, int Size>
struct Sized;

/// The ranks along each axis hold different pieces of dim Dim. Over several axes the split is nested: the
/// first axis splits the dim, the next one each piece, so `Shard<0, dp, tp>` is not `Shard<0, tp, dp>`.
/// Where it is cut may stand in front of the axes: `Shard<0, Balanced, tp>`. Gradient: the same Shard.
template <int Dim, class... Axes>
struct Shard {};

/// The ranks hold the same value and use it for different work. Gradient: Partial.
template <class... Axes>
struct Replicate {};

/// The ranks hold terms that are still to be summed. Gradient: Replicate. `Partial<Max, tp>` and
/// `Partial<Min, tp>` hold terms whose largest or smallest is meant; they have no gradient.
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
  static constexpr AxisState state{};
  using axes = AxisList<>;
};
template <Kind kind, int dim, Partition partition, Reduction reduction, class... Axes>
struct known_parts {
  static constexpr AxisState state{kind, dim, 0, partition, reduction};
  using axes = AxisList<Axes...>;
};
template <class... Axes>
struct parts<Invariant<Axes...>> : known_parts<Kind::invariant, 0, Partition::even, Reduction::sum, Axes...> {};
template <class... Axes>
struct parts<Replicate<Axes...>> : known_parts<Kind::replicate, 0, Partition::even, Reduction::sum, Axes...> {};
template <class... Axes>
struct parts<Partial<Axes...>> : known_parts<Kind::partial, 0, Partition::even, Reduction::sum, Axes...> {};
template <class... Axes>
struct parts<Partial<Sum, Axes...>> : parts<Partial<Axes...>> {};
template <class... Axes>
struct parts<Partial<Max, Axes...>> : known_parts<Kind::partial, 0, Partition::even, Reduction::max, Axes...> {
};
template <class... Axes>
struct parts<Partial<Min, Axes...>> : known_parts<Kind::partial, 0, Partition::even, Reduction::min, Axes...> {
};
template <int Dim, class... Axes>
struct parts<Shard<Dim, Axes...>> : known_parts<Kind::shard, Dim, Partition::even, Reduction::sum, Axes...> {};
template <int Dim, class... Axes>
struct parts<Shard<Dim, Even, Axes...>> : parts<Shard<Dim, Axes...>> {};
template <int Dim, class... Axes>
struct parts<Shard<Dim, Balanced, Axes...>>
    : known_parts<Kind::shard, Dim, Partition::balanced, Reduction::sum, Axes...> {};
template <int Dim, class... Axes>
struct parts<Shard<Dim, Ragged, Axes...>>
    : known_parts<Kind::shard, Dim, Partition::ragged, Reduction::sum, Axes...> {};

/// The canonical placement that names these axes in this state; the defaults are not spelled.
template <Kind kind, int dim, Partition partition, Reduction reduction, class... Axes>
struct placement_of {
  using type = Invariant<Axes...>;
};
template <int dim, Partition partition, Reduction reduction, class... Axes>
struct placement_of<Kind::replicate, dim, partition, reduction, Axes...> {
  using type = Replicate<Axes...>;
};
template <int dim, Partition partition, class... Axes>
struct placement_of<Kind::partial, dim, partition, Reduction::sum, Axes...> {
  using type = Partial<Axes...>;
};
template <int dim, Partition partition, class... Axes>
struct placement_of<Kind::partial, dim, partition, Reduction::max, Axes...> {
  using type = Partial<Max, Axes...>;
};
template <int dim, Partition partition, class... Axes>
struct placement_of<Kind::partial, dim, partition, Reduction::min, Axes...> {
  using type = Partial<Min, Axes...>;
};
template <int dim, Reduction reduction, class... Axes>
struct placement_of<Kind::shard, dim, Partition::even, reduction, Axes...> {
  using type = Shard<dim, Axes...>;
};
template <int dim, Reduction reduction, class... Axes>
struct placement_of<Kind::shard, dim, Partition::balanced, reduction, Axes...> {
  using type = Shard<dim, Balanced, Axes...>;
};
template <int dim, Reduction reduction, class... Axes>
struct placement_of<Kind::shard, dim, Partition::ragged, reduction, Axes...> {
  using type = Shard<dim, Ragged, Axes...>;
};

/// What people write among a placement's axes, and is none.
template <class T>
inline constexpr bool is_word_beside_axes =
    std::is_same_v<T, Even> || std::is_same_v<T, Balanced> || std::is_same_v<T, Ragged> ||
    std::is_same_v<T, Sum> || std::is_same_v<T, Max> || std::is_same_v<T, Min>;
template <class Axis, int Size>
inline constexpr bool is_word_beside_axes<Sized<Axis, Size>> = true;

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
