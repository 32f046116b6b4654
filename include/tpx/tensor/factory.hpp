// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/random.hpp>
#include <tpx/layout/extents.hpp>
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

template <class T>
struct element_is;
template <bool fits, class... Facts>
constexpr void random_numbers_have_fractions() {
  static_assert(fits,
                "tpx: random numbers have fractions: make a tensor of float or double, or of integers by "
                "from_function (see element_is)");
}

template <bool fits, class... Facts>
constexpr void a_factory_takes_a_mesh_and_a_layout() {
  static_assert(fits,
                "tpx: a factory takes a mesh and a layout: zeros<float>(mesh, layout<Shard<0, tp>>, {8, 16}) "
                "(see first, second)");
}
template <class X>
struct first;
template <class X>
struct second;
template <bool fits, class... Facts>
constexpr void a_shard_names_a_dim() {
  static_assert(fits,
                "tpx: Shard<dim, ...> names one of the tensor's dims, 0 to ndim - 1 (see layout, extents_are)");
}

/// Whether a factory makes values of this layout; where not, the error that says why.
template <class S, class L, class Mesh>
constexpr bool makes() {
  if constexpr (std::is_same_v<Mesh, refused>) {
    return false;
  } else if constexpr (!is_layout<L> || !requires { typename Mesh::axes; }) {
    a_factory_takes_a_mesh_and_a_layout<false, first<Mesh>, second<L>>();
    return false;
  } else {
    constexpr Spec spec = spec_v<L, typename Mesh::axes>;
    constexpr bool dims = shards_only_dims_below(spec, S::ndim);
    constexpr bool whole = no_axis_is(spec, Kind::partial);
    a_shard_names_a_dim<dims, layout_is<L>, extents_are<S>>();
    if constexpr (dims) a_factory_makes_values<whole, layout_is<L>>();
    if constexpr (dims && whole) check_extents<S, L, Mesh>();
    return dims;
  }
}

template <class T, class L, class Mesh, class S, class Kernel>
auto filled(const Mesh& mesh, const S& extents, Kernel&& fill) {
  if constexpr (!makes<S, L, Mesh>()) {
    return refused{};
  } else {
    constexpr int N = S::ndim;
    const Shape shape = extents.shape();
    auto x = make_tensor<T, N, with_t<L, L>>(mesh, shape);
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
}

}  // namespace detail

/// A tensor of one value:  full<float>(mesh, layout<Shard<0, dp>>, {8, 16}, 1.0).
///
/// Every factory takes its extents as a braced list, as static_extents<8, 16>, or as extents({8, 16}), which
/// may say where a Ragged dim is cut.
/// @pre    each extent that is split evenly is a multiple of the sizes of the axes that split it
/// @comm   none
/// @throws tpx::Error, on every rank, naming the dim and the axes
template <class T, class Mesh, class L, ExtentsLike S>
auto full(const Mesh& mesh, L, const S& shape, T value) {
  return detail::filled<T, L>(mesh, shape, [&](const auto& exec, T* data, const kernel::IndexMap& map) {
    kernel::fill(exec, data, map.size(), value);
  });
}
template <class T, std::size_t N, class Mesh, class L>
auto full(const Mesh& mesh, L layout, const std::int64_t (&shape)[N], T value) {
  return full<T>(mesh, layout, extents(shape), value);
}

/// A tensor of zeros.  @comm none
template <class T, class Mesh, class L, ExtentsLike S>
auto zeros(const Mesh& mesh, L layout, const S& shape) {
  return full<T>(mesh, layout, shape, T(0));
}
template <class T, std::size_t N, class Mesh, class L>
auto zeros(const Mesh& mesh, L layout, const std::int64_t (&shape)[N]) {
  return zeros<T>(mesh, layout, extents(shape));
}

/// Uniform numbers in [low, high), keyed by seed, stream and global index.
/// @post   the whole tensor is the same for every layout and mesh, bit for bit
/// @comm   none
template <class T, class Mesh, class L, ExtentsLike S>
auto uniform(const Mesh& mesh, L, const S& shape, RandomKey key, double low = 0, double high = 1) {
  constexpr bool fits = detail::is_floating_v<T>;
  detail::random_numbers_have_fractions<fits, detail::element_is<T>>();
  if constexpr (!fits) {
    return refused{};
  } else {
    return detail::filled<T, L>(mesh, shape, [&](const auto& exec, T* data, const kernel::IndexMap& map) {
      kernel::fill_uniform(exec, data, map, key.seed, key.stream, low, high);
    });
  }
}
template <class T, std::size_t N, class Mesh, class L>
auto uniform(const Mesh& mesh, L layout, const std::int64_t (&shape)[N], RandomKey key, double low = 0,
             double high = 1) {
  return uniform<T>(mesh, layout, extents(shape), key, low, high);
}

/// Normal numbers, keyed by seed, stream and global index.
/// @post   the whole tensor is the same for every layout and mesh, bit for bit
/// @comm   none
template <class T, class Mesh, class L, ExtentsLike S>
auto normal(const Mesh& mesh, L, const S& shape, RandomKey key, double mean = 0, double deviation = 1) {
  constexpr bool fits = detail::is_floating_v<T>;
  detail::random_numbers_have_fractions<fits, detail::element_is<T>>();
  if constexpr (!fits) {
    return refused{};
  } else {
    return detail::filled<T, L>(mesh, shape, [&](const auto& exec, T* data, const kernel::IndexMap& map) {
      kernel::fill_normal(exec, data, map, key.seed, key.stream, mean, deviation);
    });
  }
}
template <class T, std::size_t N, class Mesh, class L>
auto normal(const Mesh& mesh, L layout, const std::int64_t (&shape)[N], RandomKey key, double mean = 0,
            double deviation = 1) {
  return normal<T>(mesh, layout, extents(shape), key, mean, deviation);
}

/// A tensor from a function of the global index: f(std::array<std::int64_t, N>) is called on the host for
/// the elements that this rank holds.
/// @pre    f gives the same value for an index on every rank
/// @comm   none
template <class T, class Mesh, class L, ExtentsLike S, class F>
auto from_function(const Mesh& mesh, L, const S& shape, F&& f) {
  if constexpr (!detail::makes<S, L, Mesh>()) {
    return refused{};
  } else {
    constexpr int n = S::ndim;
    auto x = detail::make_tensor<T, n, with_t<L, L>>(mesh, shape.shape());
    if constexpr (Mesh::context_type::has_memory) {
      const Distribution d = x.distribution();
      const Shape local = d.local();
      std::vector<T> values;
      values.reserve(static_cast<std::size_t>(local.count()));
      for (std::int64_t i = 0; i < local.count(); ++i) {
        std::array<std::int64_t, static_cast<std::size_t>(n)> index{};
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
}
template <class T, std::size_t N, class Mesh, class L, class F>
auto from_function(const Mesh& mesh, L layout, const std::int64_t (&shape)[N], F&& f) {
  return from_function<T>(mesh, layout, extents(shape), f);
}

/// Gives each rank its part of a tensor that one rank has, row-major in host memory; on the other ranks
/// `values` is not read.
///
/// @param  root  the rank, in the order of the mesh, that has the values
/// @comm   over all axes, a broadcast of one i64, then one of the whole tensor
/// @throws tpx::Error, on every rank, where root's number of values is not the shape's, or there is no such
///         rank
template <class T, class Mesh, class L, ExtentsLike S>
auto distribute(const Mesh& mesh, L, const S& shape, const std::vector<T>& values, int root = 0) {
  if constexpr (!detail::makes<S, L, Mesh>()) {
    return refused{};
  } else {
    constexpr int n = S::ndim;
    constexpr unsigned all = (1u << Mesh::axes::size) - 1;
    const Shape global = shape.shape();
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
    return DTensor<T, n, with_t<L, L>, Mesh>(
        mesh, global, detail::run_plan<T>(mesh, plan_v<0u, spec.bits>, global, std::move(whole)));
  }
}
template <class T, std::size_t N, class Mesh, class L>
auto distribute(const Mesh& mesh, L layout, const std::int64_t (&shape)[N], const std::vector<T>& values,
                int root = 0) {
  return distribute<T>(mesh, layout, extents(shape), values, root);
}

}  // namespace tpx
