// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/comm/abstract.hpp>
#include <tpx/comm/recording.hpp>
#include <tpx/mesh/device_mesh.hpp>
#include <tpx/tensor/context.hpp>

namespace tpx {

namespace comm {
class Threads;  // threads.hpp is included by programs whose ranks are threads
}

namespace detail {

/// Where kernels run unless the user says otherwise.
template <class Comm>
struct default_space {
  using type = Kokkos::DefaultExecutionSpace;
};
template <class Comm>
struct default_space<comm::Recording<Comm>> : default_space<Comm> {};
template <>
struct default_space<comm::Abstract> {
  using type = AbstractSpace;
};
#ifdef KOKKOS_ENABLE_SERIAL
// Ranks that are threads each run their kernels themselves.
template <>
struct default_space<comm::Threads> {
  using type = Kokkos::Serial;
};
#endif

/// Tensors lie where the communicator reads them without a copy, if it gives out such memory.
template <class Exec, class Comm, class... Instance>
std::shared_ptr<Context<Exec>> context_for(const Comm& world, const Instance&... instance) {
  auto context = std::make_shared<Context<Exec>>(instance...);
  if constexpr (requires { world.symmetric_memory(); })
    if constexpr (std::is_same_v<typename Context<Exec>::memory_space, Kokkos::HostSpace>)
      context->pool().draw_from(world.symmetric_memory());
  return context;
}

}  // namespace detail

/// Arranges the ranks of a communicator along named axes, major first, on the communicator's default
/// execution space (Serial for threads, none for an abstract one, Kokkos' default otherwise).
///
///   auto mesh = make_mesh<tp>(world);                  // all ranks along tp
///   auto mesh = make_mesh<dp, tp>(world, {2, 4});      // ranks 0-3 are one tp group
///   auto mesh = make_mesh<dp, Sized<tp, 4>>(world);    // a size that the type knows
///
/// @param  sizes  one for each axis; 0 for one that takes what is left
/// @pre    the sizes multiply to the number of ranks
/// @throws tpx::Error on every rank, naming the sizes
/// @comm   makes a communicator for every set of axes with more than one rank
template <class... Axes, class Comm>
auto make_mesh(const Comm& world, std::vector<int> sizes = {}) {
  using Exec = typename detail::default_space<Comm>::type;
  return DeviceMesh<Comm, Exec, Axes...>(world, std::move(sizes), detail::context_for<Exec>(world));
}

/// The same on a given execution-space instance.
template <class... Axes, class Comm, class Exec>
auto make_mesh_on(const Exec& instance, const Comm& world, std::vector<int> sizes = {}) {
  return DeviceMesh<Comm, Exec, Axes...>(world, std::move(sizes), detail::context_for<Exec>(world, instance));
}

/// The mesh with its kernels on another instance of its execution space, and memory of their own.
template <class Comm, class Exec, class... Axes>
auto with_instance(const DeviceMesh<Comm, Exec, Axes...>& mesh, const Exec& instance) {
  auto context = std::make_shared<Context<Exec>>(instance);
  context->pool().draw_from(mesh.context().pool().source());
  return mesh.with_context(std::move(context));
}

/// A mesh that is not here, to find out what a program would do on it, seen from its first rank.
/// @comm none; what would be sent is in `mesh.communicator(mask).log()`
template <class... Axes>
auto make_abstract_mesh(std::vector<int> sizes) {
  int ranks = 1;
  for (const int size : sizes) {
    TPX_EXPECTS(size >= 1, size, "an abstract mesh names all of its sizes");
    TPX_EXPECTS(ranks <= std::numeric_limits<int>::max() / size, ranks, size, "ranks are counted by an int");
    ranks *= size;
  }
  return make_mesh<Axes...>(comm::Recording<comm::Abstract>(comm::Abstract(ranks)), std::move(sizes));
}

}  // namespace tpx
