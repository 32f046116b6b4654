// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/random.hpp>
#include <tpx/tensor/collective.hpp>
#include <tpx/tensor/host_copy.hpp>

/// Making tensors. What a factory makes is a value, the same whole tensor for every layout: no layout with
/// Partial, whose ranks would hold terms.
namespace tpx {

/// Which random numbers: another stream of a seed is independent of the first.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

namespace detail {

template <bool fits, class... Facts>
constexpr void a_factory_makes_values() {
  static_assert(fits,
                "tpx: a factory makes values, not terms of a sum: make it Shard, Replicate or Invariant and "
                "redistribute to Partial (see layout)");
}

template <class L, class Mesh>
constexpr void check_value_layout() {
  constexpr bool whole = no_axis_is(spec_v<L, typename Mesh::axes>, Kind::partial);
  a_factory_makes_values<whole, layout_is<L>>();
}

template <class T, int N, class L, class Mesh, class Kernel>
DTensor<T, N, L, Mesh> filled(const Mesh& mesh, const Shape& shape, Kernel&& fill) {
  check_value_layout<L, Mesh>();
  auto x = make_tensor<T, N, L>(mesh, shape);
  const Distribution d = x.distribution();
  kernel::IndexMap map;
  map.ndim = N;
  static_assert(N <= kernel::IndexMap::largest_ndim, "tpx: a factory makes tensors of at most 8 dims");
  for (int i = 0; i < N; ++i) {
    const Piece p = d.piece(i);
    map.local_extent[i] = p.extent;
    map.global_offset[i] = p.offset;
    map.global_extent[i] = shape[i];
  }
  mesh.context().launch({0, x.local_count() * std::int64_t{sizeof(T)}},
                        [&](const auto& exec) { fill(exec, x.data(), map); });
  return x;
}

template <int N>
Shape shape_of(const std::int64_t (&extents)[static_cast<std::size_t>(N)]) {
  Shape s;
  for (const std::int64_t e : extents) s.push_back(e);
  return s;
}

}  // namespace detail

/// A tensor of one value:  full<float>(mesh, layout<Shard<0, dp>>, {8, 16}, 1.0).
/// @pre    each extent is a multiple of the sizes of the axes that split it
/// @comm   none
/// @throws tpx::Error, on every rank, naming the dim and the axes
template <class T, std::size_t N, class Mesh, class... Placements>
auto full(const Mesh& mesh, Layout<Placements...>, const std::int64_t (&shape)[N], T value) {
  constexpr int n = static_cast<int>(N);
  return detail::filled<T, n, layout_t<Placements...>>(
      mesh, detail::shape_of<n>(shape), [&](const auto& exec, T* data, const kernel::IndexMap& map) {
        kernel::fill(exec, data, map.size(), value);
      });
}

/// A tensor of zeros.  @comm none
template <class T, std::size_t N, class Mesh, class L>
auto zeros(const Mesh& mesh, L layout, const std::int64_t (&shape)[N]) {
  return full<T>(mesh, layout, shape, T(0));
}

/// Uniform numbers in [low, high), keyed by seed, stream and global index.
/// @post   the whole tensor is the same for every layout and mesh, bit for bit
/// @comm   none
template <class T, std::size_t N, class Mesh, class... Placements>
auto uniform(const Mesh& mesh, Layout<Placements...>, const std::int64_t (&shape)[N], RandomKey key,
             double low = 0, double high = 1) {
  constexpr int n = static_cast<int>(N);
  return detail::filled<T, n, layout_t<Placements...>>(
      mesh, detail::shape_of<n>(shape), [&](const auto& exec, T* data, const kernel::IndexMap& map) {
        kernel::fill_uniform(exec, data, map, key.seed, key.stream, low, high);
      });
}

/// Normal numbers, keyed by seed, stream and global index.
/// @post   the whole tensor is the same for every layout and mesh, bit for bit
/// @comm   none
template <class T, std::size_t N, class Mesh, class... Placements>
auto normal(const Mesh& mesh, Layout<Placements...>, const std::int64_t (&shape)[N], RandomKey key,
            double mean = 0, double deviation = 1) {
  constexpr int n = static_cast<int>(N);
  return detail::filled<T, n, layout_t<Placements...>>(
      mesh, detail::shape_of<n>(shape), [&](const auto& exec, T* data, const kernel::IndexMap& map) {
        kernel::fill_normal(exec, data, map, key.seed, key.stream, mean, deviation);
      });
}

/// A tensor from a function of the global index: f(std::array<std::int64_t, N>) is called on the host for
/// the elements that this rank holds.
/// @pre    f gives the same value for an index on every rank
/// @comm   none
template <class T, std::size_t N, class Mesh, class... Placements, class F>
auto from_function(const Mesh& mesh, Layout<Placements...>, const std::int64_t (&shape)[N], F&& f) {
  constexpr int n = static_cast<int>(N);
  using L = layout_t<Placements...>;
  detail::check_value_layout<L, Mesh>();
  auto x = detail::make_tensor<T, n, L>(mesh, detail::shape_of<n>(shape));
  if constexpr (Mesh::context_type::has_memory) {
    const Distribution d = x.distribution();
    const Shape local = d.local();
    std::vector<T> values;
    values.reserve(static_cast<std::size_t>(local.count()));
    for (std::int64_t i = 0; i < local.count(); ++i) {
      std::array<std::int64_t, N> index{};
      std::int64_t rest = i;
      for (int dim = n - 1; dim >= 0; --dim) {
        index[static_cast<std::size_t>(dim)] = d.to_global(dim, {rest % local[dim]}).value;
        rest /= local[dim];
      }
      values.push_back(static_cast<T>(f(index)));
    }
    detail::copy_from_host(mesh, values.data(), x.data(), local.count());
  }
  return x;
}

/// Gives each rank its part of a tensor that one rank has, row-major in host memory; on the other ranks
/// `values` is not read.
///
/// @param  root  the rank, in the order of the mesh, that has the values
/// @comm   over all axes, a broadcast of one i64, then one of the whole tensor
/// @throws tpx::Error, on every rank, where root's number of values is not the shape's, or there is no such
///         rank
template <class T, std::size_t N, class Mesh, class... Placements>
auto distribute(const Mesh& mesh, Layout<Placements...>, const std::int64_t (&shape)[N],
                const std::vector<T>& values, int root = 0) {
  constexpr int n = static_cast<int>(N);
  using L = layout_t<Placements...>;
  detail::check_value_layout<L, Mesh>();
  constexpr unsigned all = (1u << Mesh::axes::size) - 1;
  const Shape global = detail::shape_of<n>(shape);
  constexpr Spec spec = spec_v<L, typename Mesh::axes>;
  Distribution(global, spec, mesh.grid()).check(name(element_v<T>), Mesh::names());
  const std::int64_t count = global.count();
  TPX_EXPECTS(0 <= root && root < mesh.size(), root, mesh.size());
  // The number is agreed on before anybody waits for values that do not come.
  Buffer given = detail::allocate<std::int64_t>(mesh, 1);
  std::int64_t number = static_cast<std::int64_t>(values.size());
  detail::copy_from_host(mesh, &number, given.as<std::int64_t>(), 1);
  detail::broadcast(mesh, all, given.as<std::int64_t>(), 1, root);
  detail::copy_to_host(mesh, static_cast<const std::int64_t*>(given.as<std::int64_t>()), &number, 1);
  TPX_EXPECTS(number == count, number, count, "the root has as many values as the shape");
  Buffer whole = detail::allocate<T>(mesh, count);
  if (mesh.rank() == root) detail::copy_from_host(mesh, values.data(), whole.as<T>(), count);
  detail::broadcast(mesh, all, whole.as<T>(), count, root);
  return DTensor<T, n, L, Mesh>(mesh, global,
                                detail::run_plan<T>(mesh, plan_v<0u, spec.bits>, global, std::move(whole)));
}

}  // namespace tpx
