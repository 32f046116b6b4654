// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace tpx {

/// A mesh axis is an empty struct with a static name, so that it costs nothing, reads well in a compiler's
/// message and may stand in a kernel's type. An axis over which the *data* is split says so: layers keep
/// their parameters Replicate there, which makes the gradients Partial, to be reduced once a step.
template <class Axis>
concept MeshAxis = std::is_empty_v<Axis> && requires {
  {std::string_view(Axis::name)};
};

namespace axes {

/// Data parallel: every rank has other samples.
struct dp {
  static constexpr char name[] = "dp";
  static constexpr bool data = true;
};
/// Pipeline parallel: every rank has other layers.
struct pp {
  static constexpr char name[] = "pp";
};
/// Tensor parallel: every rank has other parts of one layer.
struct tp {
  static constexpr char name[] = "tp";
};
/// Context parallel: every rank has other positions of one sequence.
struct cp {
  static constexpr char name[] = "cp";
  static constexpr bool data = true;
};
/// Expert parallel: every rank has other experts.
struct ep {
  static constexpr char name[] = "ep";
};

}  // namespace axes

/// Whether parameters are Replicate on the axis because the ranks along it see different data.
template <class Axis>
inline constexpr bool is_data_axis_v = requires {
  requires Axis::data;
};

/// Mesh axes in the order of the mesh, major first. A Spec (spec.hpp) counts axes by their place in one.
template <class... Axes>
struct AxisList {
  static constexpr int size = static_cast<int>(sizeof...(Axes));
};

/// The axes that a function communicates over, named in its call: `cross_entropy<over<tp>>(...)`.
template <class... Axes>
struct over {};

namespace detail {

/// A mesh has at most this many axes: a Spec packs one byte for each into 32 bits.
inline constexpr int max_axes = 4;

template <class... Axes>
inline constexpr std::array<std::string_view, sizeof...(Axes)> axis_names{std::string_view(Axes::name)...};

/// The names along a list, for printing.
template <class List>
inline constexpr std::array<std::string_view, 0> names_of{};
template <class... Axes>
inline constexpr std::array<std::string_view, sizeof...(Axes)> names_of<AxisList<Axes...>>{
    std::string_view(Axes::name)...};

/// Place of Axis in List, or -1.
template <class Axis, class List>
inline constexpr int index_of = -1;
template <class Axis, class... Axes>
inline constexpr int index_of<Axis, AxisList<Axes...>> = [] {
  int at = -1;
  int i = 0;
  ((std::is_same_v<Axis, Axes> && at < 0 ? void(at = i) : void(), ++i), ...);
  return at;
}();

/// Bit set of the places of `over<...>`'s axes in List, of those that List has.
template <class Over, class List>
inline constexpr unsigned mask_of = 0;
template <class... Axes, class List>
inline constexpr unsigned mask_of<over<Axes...>, List> =
    (0u | ... | (index_of<Axes, List> < 0 ? 0u : 1u << (index_of<Axes, List> & 31)));

template <class Over, class List>
inline constexpr bool names_axes_of = true;
template <class... Axes, class List>
inline constexpr bool names_axes_of<over<Axes...>, List> = ((index_of<Axes, List> >= 0) && ...);

template <int I, class List>
struct axis_at;
template <class First, class... Rest>
struct axis_at<0, AxisList<First, Rest...>> {
  using type = First;
};
template <int I, class First, class... Rest>
struct axis_at<I, AxisList<First, Rest...>> : axis_at<I - 1, AxisList<Rest...>> {};

/// Axis number I of List.
template <int I, class List>
using axis_at_t = typename axis_at<I, List>::type;

/// List with Axis appended where it is not in it yet.
template <class List, class... Axes>
struct append_new {
  using type = List;
};
template <class... Have, class Axis, class... Rest>
struct append_new<AxisList<Have...>, Axis, Rest...>
    : append_new<
          std::conditional_t<(std::is_same_v<Axis, Have> || ...), AxisList<Have...>, AxisList<Have..., Axis>>,
          Rest...> {};

}  // namespace detail
}  // namespace tpx
