// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include <tpx/layout/plan.hpp>
#include <tpx/layout/refusal.hpp>
#include <tpx/tensor/run_plan.hpp>

/// Between the execution space's memory and the host's. These wait for the kernels before them.
namespace tpx {

namespace detail {

/// to = from, between the memories To and From, one of which is the host's; returns when it is done.
template <class To, class From, class T, class Mesh>
void copy_across(const Mesh& mesh, const T* from, T* to, std::int64_t count) {
  if (count == 0) return;
  const auto n = static_cast<std::size_t>(count);
  if constexpr (std::is_same_v<To, From>) {
    mesh.context().fence();
    std::memcpy(to, from, n * sizeof(T));
  } else {
    using Unmanaged = Kokkos::MemoryTraits<Kokkos::Unmanaged>;
    Kokkos::deep_copy(mesh.context().instance(), Kokkos::View<T*, To, Unmanaged>(to, n),
                      Kokkos::View<const T*, From, Unmanaged>(from, n));
    mesh.context().fence();
  }
}

template <class T, class Mesh>
void copy_to_host(const Mesh& mesh, const T* from, T* to, std::int64_t count) {
  static_assert(Mesh::context_type::has_memory, "tpx: an abstract tensor has no values to read");
  if constexpr (Mesh::context_type::has_memory)
    copy_across<Kokkos::HostSpace, typename Mesh::context_type::memory_space>(mesh, from, to, count);
}

template <class T, class Mesh>
void copy_from_host(const Mesh& mesh, const T* from, T* to, std::int64_t count) {
  static_assert(Mesh::context_type::has_memory, "tpx: an abstract tensor has no values to write");
  if constexpr (Mesh::context_type::has_memory)
    copy_across<typename Mesh::context_type::memory_space, Kokkos::HostSpace>(mesh, from, to, count);
}

}  // namespace detail

/// This rank's shard, row-major, in host memory.
/// @comm none
template <Tensor X>
std::vector<typename X::element_type> local_values(const X& x) {
  std::vector<typename X::element_type> values(static_cast<std::size_t>(x.local_count()));
  detail::copy_to_host(x.mesh(), static_cast<const typename X::element_type*>(x.data()), values.data(),
                       x.local_count());
  return values;
}

/// The whole tensor, row-major, in host memory, on every rank.
/// @comm the steps from x's layout to Invariant on all axes: all-gather where it is split, all-reduce where
///       it is Partial
template <Tensor X>
std::vector<typename X::element_type> gather(const X& x) {
  using T = typename X::element_type;
  const Buffer whole = detail::run_plan<T>(x.mesh(), plan_v<X::spec.bits, 0u>, x.shape(), x.shard());
  std::vector<T> values(static_cast<std::size_t>(x.shape().count()));
  detail::copy_to_host(x.mesh(), static_cast<const T*>(whole.template as<T>()), values.data(),
                       x.shape().count());
  return values;
}

namespace detail {

template <bool fits, class... Facts>
constexpr void an_item_is_whole() {
  static_assert(
      fits,
      "tpx::item: a value that is read is the same on all ranks: redistribute<Invariant<axis>>(x) where "
      "it is Partial (see layout)");
}
template <class L>
struct layout_is;

}  // namespace detail

/// The value of a scalar tensor.
/// @pre    it is Invariant or Replicate on every axis
/// @comm   none
template <Tensor X>
typename X::element_type item(const X& x) {
  static_assert(X::ndim == 0, "tpx::item: the tensor has no dims");
  constexpr bool whole = detail::no_axis_is(X::spec, Kind::partial);
  detail::an_item_is_whole<whole, detail::layout_is<typename X::layout_type>>();
  typename X::element_type value{};
  if constexpr (whole)
    detail::copy_to_host(x.mesh(), static_cast<const typename X::element_type*>(x.data()), &value, 1);
  return value;
}

// What was refused has no values; whoever asks for them is told once.
struct refused_values : std::vector<double> {
  template <class T>
  operator std::vector<T>() const;
};
inline refused_values local_values(refused) { return {}; }
inline refused_values gather(refused) { return {}; }
inline double item(refused) { return 0; }

}  // namespace tpx
