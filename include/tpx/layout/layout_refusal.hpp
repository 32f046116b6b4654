// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

/// What is no layout, a sentence each. The facts that a sentence names are its function's template arguments,
/// which compilers print below it.
namespace tpx::detail {

template <class Given>
struct given;
template <bool fits, class... Facts>
constexpr void an_axis_is_used_once() {
  static_assert(fits,
                "tpx::layout: a mesh axis stands in one placement only, and once (see axis, in_layout below)");
}
template <bool fits, class... Facts>
constexpr void the_mesh_has_the_axis() {
  static_assert(fits, "tpx::layout: a placement names only axes that the mesh has (see axis, mesh below)");
}
template <bool fits, class... Facts>
constexpr void a_mesh_has_four_axes() {
  static_assert(fits, "tpx::layout: a mesh has at most four axes (see mesh below)");
}
template <bool fits, class... Facts>
constexpr void a_placement_names_an_axis() {
  static_assert(fits,
                "tpx::layout: a layout is made of Shard<dim, axes...>, Replicate<axes...>, Partial<axes...> "
                "and Invariant<axes...> with at least one axis each (see in_placement below)");
}
template <bool fits, class... Facts>
constexpr void a_dim_is_cut_one_way() {
  static_assert(
      fits,
      "tpx::layout: all axes that split one dim cut it the same way: Even, Balanced and Ragged do not mix "
      "(see in_layout below)");
}
template <bool fits, class... Facts>
constexpr void terms_become_one_by_one_reduction() {
  static_assert(
      fits,
      "tpx::layout: a tensor is Partial by one reduction on all of its axes: sums, maxima and minima do not "
      "mix (see in_layout below)");
}
template <bool fits, class... Facts>
constexpr void a_maximum_has_no_gradient() {
  static_assert(fits,
                "tpx: a maximum or minimum over ranks has no gradient: detach(x) what it is computed from "
                "(see in_layout below)");
}
template <bool fits, class... Facts>
constexpr void an_axis_has_a_name() {
  static_assert(fits,
                "tpx::layout: an axis is an empty struct with a static name (see axis, in_placement below)");
}
template <bool fits, class... Facts>
constexpr void words_stand_in_front_of_the_axes() {
  static_assert(fits,
                "tpx::layout: Even, Balanced and Ragged stand in front of a Shard's axes, Sum, Max and Min in "
                "front of a Partial's; Sized is for meshes (see in_placement below)");
}
template <bool fits, class... Facts>
constexpr void a_dim_is_counted_from_0() {
  static_assert(fits, "tpx::Shard: a dim is counted from 0, and is less than 12 (see in_placement below)");
}
template <bool fits, class... Facts>
constexpr void a_layout_has_a_dual() {
  static_assert(fits, "tpx::dual_t: what has a dual is a layout: dual_t<layout_t<Shard<0, dp>>> (see given)");
}

}  // namespace tpx::detail
