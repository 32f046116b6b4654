// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <tpx/layout/extents.hpp>
#include <tpx/tensor/dtensor.hpp>

/// Between a user's Views and tensors, without a copy.
namespace tpx {

namespace detail {

/// The global shape of which a local shard with these extents is this rank's part.
inline Shape global_shape(const Shape& local, Spec spec, const Grid& grid) {
  Shape global = local;
  for (int d = 0; d < local.ndim(); ++d) global[d] *= Distribution(local, spec, grid).divisor(d);
  return global;
}

template <bool fits, class... Facts>
constexpr void even_shards_tell_the_whole() {
  static_assert(
      fits,
      "tpx: the extents of a Balanced or Ragged shard do not tell those of the whole tensor: give them, "
      "wrap(mesh, layout, view, extents({...})) (see in_layout)");
}
constexpr bool all_even(Spec spec) {
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == Kind::shard && spec[a].partition != Partition::even) return false;
  return true;
}

template <bool fits, class... Facts>
constexpr void a_view_becomes_a_tensor() {
  static_assert(
      fits,
      "tpx::wrap, tpx::copy_view: what is made a tensor is a Kokkos::View; distribute gives the ranks "
      "their parts of a std::vector, redistribute changes a tensor's placements (see given)");
}
template <class X>
concept AnyView = Kokkos::is_view<X>::value;

template <class View>
inline constexpr bool is_left = std::is_same_v<typename View::array_layout, Kokkos::LayoutLeft>;

template <class View>
Shape view_shape(const View& view) {
  constexpr int n = static_cast<int>(View::rank);
  Shape s;
  for (int d = 0; d < n; ++d)
    s.push_back(
        static_cast<std::int64_t>(view.extent(static_cast<std::size_t>(is_left<View> ? n - 1 - d : d))));
  return s;
}

/// Throws, on every rank, where the ranks' Views differ in an extent or one of them is not dense.
/// @comm over all axes together, two all_reduces of one i64 for each dim and one more
template <class Mesh>
void agree_on_views(const Mesh& mesh, const Shape& local, bool dense) {
  if (mesh.size() == 1) return;
  const auto& all = mesh.communicator((1u << Mesh::axes::size) - 1);
  std::int64_t least[Spec::max_dims + 1], most[Spec::max_dims + 1];
  const int n = local.ndim();
  for (int d = 0; d < n; ++d) least[d] = local[d];
  least[n] = dense ? 1 : 0;
  all.all_reduce(least, most, n + 1, Element::i64, comm::Reduction::max);
  all.all_reduce(least, least, n + 1, Element::i64, comm::Reduction::min);
  for (int d = 0; d < n; ++d)
    TPX_EXPECTS(least[d] == most[d], d, least[d], most[d], "all ranks' Views have equal extents");
  TPX_EXPECTS(least[n] == 1, "all ranks' Views are dense; copy_view takes a strided one");
}

}  // namespace detail

/// Makes a tensor of the ranks' local Views, sharing their memory: the shard is the View.
///
/// A LayoutRight View of (m, n) is a shard of [m, n]. A LayoutLeft one lies in memory as its transpose does
/// in LayoutRight, so it becomes a shard of [n, m]; its matmul reads it as it is.
///
///   view  (m, n)  on each rank     layout<Shard<0, tp>>     x  [p m @tp, n]
///
/// @pre    the View is dense, its memory is the mesh's execution space's, and all ranks' Views have equal
///         extents (at TPX_CHECK_LEVEL 3 the ranks verify that together)
/// @post   a managed View lives as long as the tensor; an unmanaged one must
/// @throws tpx::Error where a View is not dense: `copy_view` takes it
template <class Mesh, class... Placements, detail::AnyView View>
auto wrap(const Mesh& mesh, Layout<Placements...> layout, const View& view) {
  constexpr Spec spec = spec_v<layout_t<Placements...>, typename Mesh::axes>;
  detail::even_shards_tell_the_whole<detail::all_even(spec), detail::in_layout<Placements...>>();
  const Shape local = detail::view_shape(view);
  if constexpr (check_level >= check_level_collective)
    detail::agree_on_views(mesh, local, view.span_is_contiguous());
  return wrap(mesh, layout, view,
              Extents<static_cast<int>(View::rank)>(detail::global_shape(local, spec, mesh.grid())));
}

/// The same where the shards differ in size: `shape` is that of the whole tensor.
/// @throws tpx::Error where a rank's View is not of the extents that its shard has
template <class Mesh, class... Placements, detail::AnyView View, ExtentsLike S>
auto wrap(const Mesh& mesh, Layout<Placements...>, const View& view, const S& shape) {
  using T = typename View::non_const_value_type;
  using L = layout_t<Placements...>;
  constexpr int n = static_cast<int>(View::rank);
  static_assert(S::ndim == n, "tpx::wrap: the extents are as many as the View's");
  detail::check_extents<S, L, Mesh>();
  static_assert(!std::is_const_v<typename View::value_type>,
                "tpx::wrap: the View's elements are not const: the tensor gives access to them");
  static_assert(
      !std::is_same_v<typename View::array_layout, Kokkos::LayoutStride>,
      "tpx::wrap: a shard is dense and row-major: a LayoutStride View is copied by name, copy_view(...)");
  static_assert(std::is_same_v<typename View::memory_space, typename Mesh::context_type::memory_space>,
                "tpx::wrap: the View's memory is that of the mesh's execution space");
  TPX_EXPECTS(view.span_is_contiguous(), "the View is dense; copy_view takes a strided one");
  const Shape global = shape.shape();
  const Distribution d(global, spec_v<L, typename Mesh::axes>, mesh.grid());
  d.check(name(element_v<T>), Mesh::names());
  const Shape local = detail::view_shape(view);
  TPX_EXPECTS(local == d.local(), print(name(element_v<T>), global, d.spec(), Mesh::names()),
              print("the View", local, {}, {}), print("its shard", d.local(), {}, {}));
  auto keep = std::make_shared<View>(view);
  // The cast is for a const View, which was refused above, in one error.
  Buffer shard =
      Buffer::borrow(const_cast<T*>(view.data()), local.count() * std::int64_t{sizeof(T)}, std::move(keep));
  return DTensor<T, n, L, Mesh>(mesh, global, std::move(shard));
}

/// Makes a tensor of the ranks' local Views, whatever their strides and layout, by copying them: a View of
/// (m, n) is a shard of [m, n].
template <class Mesh, class... Placements, detail::AnyView View>
auto copy_view(const Mesh& mesh, Layout<Placements...> layout, const View& view) {
  constexpr Spec spec = spec_v<layout_t<Placements...>, typename Mesh::axes>;
  detail::even_shards_tell_the_whole<detail::all_even(spec), detail::in_layout<Placements...>>();
  constexpr int n = static_cast<int>(View::rank);
  Shape local;
  for (int d = 0; d < n; ++d)
    local.push_back(static_cast<std::int64_t>(view.extent(static_cast<std::size_t>(d))));
  return copy_view(mesh, layout, view, Extents<n>(detail::global_shape(local, spec, mesh.grid())));
}

/// The same where the shards differ in size: `shape` is that of the whole tensor.
/// @throws tpx::Error where a rank's View is not of the extents that its shard has
template <class Mesh, class... Placements, detail::AnyView View, ExtentsLike S>
auto copy_view(const Mesh& mesh, Layout<Placements...>, const View& view, const S& shape) {
  using T = typename View::non_const_value_type;
  using L = layout_t<Placements...>;
  constexpr int n = static_cast<int>(View::rank);
  static_assert(S::ndim == n, "tpx::copy_view: the extents are as many as the View's");
  detail::check_extents<S, L, Mesh>();
  auto x = detail::make_tensor<T, n, L>(mesh, shape.shape());
  const Shape local = x.local_shape();
  for (int d = 0; d < n; ++d)
    TPX_EXPECTS(local[d] == static_cast<std::int64_t>(view.extent(static_cast<std::size_t>(d))), d,
                x.describe());
  Kokkos::deep_copy(mesh.context().instance(), x.local(), view);
  mesh.context().fence();
  return x;
}

template <class Mesh, class... Placements, class X, class... S>
requires(!detail::AnyView<X>) refused wrap(const Mesh&, Layout<Placements...>, const X&, const S&...) {
  detail::a_view_becomes_a_tensor<std::is_same_v<X, refused>, detail::given<X>>();
  return {};
}
template <class Mesh, class... Placements, class X, class... S>
requires(!detail::AnyView<X>) refused
    copy_view(const Mesh& mesh, Layout<Placements...> l, const X& x, const S&...) {
  return wrap(mesh, l, x);
}

}  // namespace tpx
