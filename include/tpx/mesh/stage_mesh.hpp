// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/mesh/device_mesh.hpp>

namespace tpx {

namespace detail {

template <class Axis, class Rest, class... Kept>
struct stage_mesh_of;
template <class Axis, class... Kept>
struct stage_mesh_of<Axis, AxisList<>, Kept...> {
  template <class Mesh>
  static auto make(const Mesh& mesh) {
    return mesh.template submesh<Kept...>();
  }
};
template <class Axis, class First, class... Rest, class... Kept>
struct stage_mesh_of<Axis, AxisList<First, Rest...>, Kept...>
    : std::conditional_t<std::is_same_v<Axis, First>, stage_mesh_of<Axis, AxisList<Rest...>, Kept...>,
                         stage_mesh_of<Axis, AxisList<Rest...>, Kept..., First>> {};

}  // namespace detail

/// The mesh of the ranks at this rank's place of an axis: where each rank along pp has other layers, tensors
/// are on this one, and go along pp by send and receive.
///
///   auto mesh = make_mesh<dp, pp, tp>(world, {2, 2, 2});
///   auto stage = stage_mesh<pp>(mesh);                        // <dp, tp>, 2 x 2
///
/// @comm makes communicators, as DeviceMesh::submesh does
template <class Axis, class Mesh>
auto stage_mesh(const Mesh& mesh) {
  using Axes = typename Mesh::axes;
  detail::a_mesh_has_the_axis<(detail::index_of<Axis, Axes> >= 0), detail::axis<Axis>, detail::mesh<Axes>>();
  return detail::stage_mesh_of<Axis, Axes>::make(mesh);
}

}  // namespace tpx
