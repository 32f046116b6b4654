// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <Kokkos_Core.hpp>

#include <tpx/core/element.hpp>
#include <tpx/layout/distribution.hpp>
#include <tpx/layout/layout.hpp>
#include <tpx/layout/print.hpp>
#include <tpx/layout/refusal.hpp>
#include <tpx/mesh/device_mesh.hpp>
#include <tpx/tensor/context.hpp>

namespace tpx {

/// The tensor is not on a tape: ops on it record nothing and cost nothing more.
struct NoTape {};

/// As NoTape, but computed from parameters: mixed with tensors on a tape it would hide what it owes to them,
/// so ops refuse that. detach(x) says that it is meant.
struct OffTape {};

namespace detail {

template <class T, int N>
struct add_stars : add_stars<T*, N - 1> {};
template <class T>
struct add_stars<T, 0> {
  using type = T;
};

template <class L>
struct is_canonical : std::false_type {};
template <class... Placements>
struct is_canonical<Layout<Placements...>> : std::is_same<layout_t<Placements...>, Layout<Placements...>> {};

constexpr bool shards_only_dims_below(Spec spec, int ndim) {
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == Kind::shard && spec[a].dim >= ndim) return false;
  return true;
}

/// A tensor's local shard as a dense row-major View, without ownership.
template <class T, int N, class Exec>
using LocalView =
    Kokkos::View<typename add_stars<T, N>::type, Kokkos::LayoutRight,
                 Kokkos::Device<Exec, typename Exec::memory_space>, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

}  // namespace detail

/// A tensor whose distribution over a mesh is part of its type.
///
/// A handle: copies share the local shard, which is dense and row-major. Ops make new tensors and leave
/// their operands as they are; `local()` gives the shard itself, to read or to write.
///
/// @tparam T      element: float, double, bfloat16, a signed integer, unsigned char
/// @tparam N      number of dims
/// @tparam L      canonical layout: `layout_t<Shard<0, dp>, Partial<tp>>`
/// @tparam Mesh   the DeviceMesh type, with the communicator and the execution space
/// @tparam Track  whether and how ops on it are recorded for the gradient; NoTape: they are not
template <class T, int N, class L, class Mesh, class Track = NoTape>
class DTensor {
  static_assert(N >= 0, "tpx::DTensor: the number of dims is not negative");
  static_assert(detail::is_canonical<L>::value,
                "tpx::DTensor: write the layout as layout_t<...>, which is one type however it is spelled");
  static_assert(detail::shards_only_dims_below(spec_v<L, typename Mesh::axes>, N),
                "tpx::DTensor: Shard<dim, ...> names one of the tensor's dims, 0 to ndim - 1");

 public:
  using element_type = T;
  using layout_type = L;
  using mesh_type = Mesh;
  using track_type = Track;
  static constexpr int ndim = N;
  static constexpr Spec spec = spec_v<L, typename Mesh::axes>;
  /// Integers carry no gradient; on an axis they count as Invariant and as Replicate.
  static constexpr bool carries_gradient = detail::is_floating_v<T>;

  /// @pre shard holds the local extents' number of elements
  DTensor(Mesh mesh, const Shape& global, Buffer shard, Track track = {})
      : mesh_(std::move(mesh)), global_(global), shard_(std::move(shard)), track_(std::move(track)) {}

  /// The same tensor, recorded otherwise.
  DTensor with_track(Track track) && {
    track_ = std::move(track);
    return std::move(*this);
  }

  const Mesh& mesh() const { return mesh_; }
  /// Global extents.
  const Shape& shape() const { return global_; }
  std::int64_t extent(int dim) const { return global_[dim]; }
  /// Which part of the whole this rank holds.
  Distribution distribution() const { return Distribution(global_, spec, mesh_.grid()); }
  /// Extents of this rank's shard.
  Shape local_shape() const { return distribution().local(); }
  /// Elements in this rank's shard.
  std::int64_t local_count() const { return local_shape().count(); }

  /// This rank's shard, in the execution space's memory.
  T* data() const {
    TPX_EXPECTS(!shard_.away(), describe(),
                "a parameter whose pieces lie on several ranks is gathered before it is read");
    if constexpr (Mesh::context_type::has_memory)
      TPX_EXPECTS(static_cast<bool>(shard_), describe(), "a tensor that was moved into an op is used no more");
    return shard_.template as<T>();
  }
  const Buffer& shard() const { return shard_; }
  /// The shard of a tensor that is used no more.
  Buffer take_shard() && { return std::move(shard_); }
  const Track& track() const { return track_; }

  /// This rank's shard as an unmanaged View; valid while a handle of the tensor lives.
  auto local() const {
    static_assert(Mesh::context_type::has_memory, "tpx::DTensor::local: an abstract tensor has no memory");
    static_assert(N <= 8, "tpx::DTensor::local: a Kokkos::View has at most 8 dims");
    if constexpr (Mesh::context_type::has_memory && N <= 8) {
      using View = detail::LocalView<T, N, typename Mesh::execution_space>;
      const Shape s = local_shape();
      return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return View(data(), static_cast<std::size_t>(s[static_cast<int>(I)])...);
      }
      (std::make_index_sequence<static_cast<std::size_t>(N)>{});
    } else {
      return refused{};
    }
  }

  /// "f32[8@dp,16]{P:tp}"
  std::string describe() const { return print(name(element_v<T>), global_, spec, Mesh::names()); }

 private:
  Mesh mesh_;
  Shape global_;
  Buffer shard_;
  [[no_unique_address]] Track track_;
};

namespace detail {

template <class X>
inline constexpr bool is_dtensor = false;
template <class T, int N, class L, class Mesh, class Track>
inline constexpr bool is_dtensor<DTensor<T, N, L, Mesh, Track>> = true;

}  // namespace detail

/// Any DTensor, whatever its layout and whether it is on a tape.
template <class X>
concept Tensor = detail::is_dtensor<X>;

/// "f32[8@dp,16]{P:tp}"
template <Tensor X>
std::string describe(const X& x) {
  return x.describe();
}
inline std::string describe(refused x) { return x.describe(); }

namespace detail {

/// Memory for a tensor of this shape and layout, content undefined, after checking that they fit.
template <class T, class L, class Mesh>
Buffer allocate_shard(const Mesh& mesh, const Shape& global) {
  const Distribution d(global, spec_v<L, typename Mesh::axes>, mesh.grid());
  d.check(name(element_v<T>), Mesh::names());
  return mesh.context().pool().allocate(d.local().count() * static_cast<std::int64_t>(sizeof(T)));
}

/// A new tensor, content undefined.
template <class T, int N, class L, class Mesh>
DTensor<T, N, L, Mesh> make_tensor(const Mesh& mesh, const Shape& global) {
  return DTensor<T, N, L, Mesh>(mesh, global, allocate_shard<T, L>(mesh, global));
}

/// Memory for `count` elements, content undefined.
template <class T, class Mesh>
Buffer allocate(const Mesh& mesh, std::int64_t count) {
  return mesh.context().pool().allocate(count * static_cast<std::int64_t>(sizeof(T)));
}

}  // namespace detail
}  // namespace tpx
