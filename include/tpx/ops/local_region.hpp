// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/comm/communicator.hpp>
#include <tpx/layout/extents.hpp>
#include <tpx/ops/local_call.hpp>
#include <tpx/tensor/host_copy.hpp>

namespace tpx {

namespace detail {

template <class... Layouts>
struct Takes {};

template <class T, class S, class L>
struct Gives {
  S extents;
};

/// What a region returns that was refused.
template <class T, class S, class L>
refused refused_results(const Gives<T, S, L>&) {
  return {};
}
template <class... Gs>
auto refused_results(const std::tuple<Gs...>& gives) {
  return std::apply([](const Gs&... g) { return std::tuple(refused_results(g)...); }, gives);
}

// A word of a refusal.
template <class L>
struct declared;

template <bool fits, class... Facts>
constexpr void a_region_takes_what_it_says() {
  static_assert(
      fits,
      "tpx::local_region: an operand has the layout that takes(...) declares for it: redistribute it first "
      "(see operand, declared)");
}
template <bool fits, class... Facts>
constexpr void a_region_takes_layouts() {
  static_assert(
      fits,
      "tpx::local_region: takes(...) is given layouts: takes(layout<Shard<0, dp>>, layout<>) (see declared)");
}
template <bool fits, class... Facts>
constexpr void a_region_declares_each_operand() {
  static_assert(fits, "tpx::local_region: takes(...) declares one layout for each operand (see takes)");
}
/// Whether the operands have the layouts that are declared, on one mesh, and tape.
template <class Fn, class... Layouts, class... Xs>
constexpr bool takes_operands(Takes<Layouts...>, Takes<Xs...>) {
  a_region_declares_each_operand<sizeof...(Layouts) == sizeof...(Xs), op<Fn>, Takes<Layouts...>>();
  if constexpr (sizeof...(Layouts) != sizeof...(Xs)) {
    return false;
  } else if constexpr (!(is_layout<Layouts> && ...)) {
    (a_region_takes_layouts<is_layout<Layouts>, declared<Layouts>>(), ...);
    return false;
  } else {
    []<std::size_t... I>(std::index_sequence<I...>) {
      (a_region_takes_what_it_says<std::is_same_v<Layouts, typename Xs::layout_type>, op<Fn>,
                                   operand<static_cast<int>(I), typename Xs::layout_type>, declared<Layouts>>(),
       ...);
    }
    (std::index_sequence_for<Xs...>{});
    one_mesh<same_mesh<Xs...>, op<Fn>, meshes<typename Xs::mesh_type...>>();
    on_the_tape_or_detached<!(recorded<Xs...> && is_off_tape<Xs...>), op<Fn>>();
    return (std::is_same_v<Layouts, typename Xs::layout_type> && ...) && same_mesh<Xs...> &&
           !(recorded<Xs...> && is_off_tape<Xs...>);
  }
}

/// Throws, on every rank, where values that are to be the same on the ranks along `axes` are not, bit for bit.
/// @comm at TPX_CHECK_LEVEL 3, over the axes together, an all_reduce (max) of two i64; else none
struct CompareRanks {
  template <class Mesh, class T>
  static void equal(const Mesh& mesh, unsigned axes, const T* data, std::int64_t count, const char* what,
                    int number) {
    if constexpr (check_level >= check_level_collective && Mesh::context_type::has_memory) {
      axes &= (1u << Mesh::axes::size) - 1;
      if (mesh.grid().ranks(axes) == 1) return;
      std::vector<T> values(static_cast<std::size_t>(count));
      copy_to_host(mesh, data, values.data(), count);
      std::uint64_t hash = 0xcbf29ce484222325u;
      const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
      for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
      const auto low = static_cast<std::int64_t>(hash >> 1);
      std::int64_t ends[2] = {low, -low};  // the largest, and the smallest with its sign turned
      mesh.communicator(axes).all_reduce(ends, ends, 2, Element::i64, comm::Reduction::max);
      if (ends[0] == -ends[1]) return;
      std::string along;
      for (int a = 0; a < Mesh::axes::size; ++a)
        if (axes >> a & 1u)
          along += (along.empty() ? "" : ",") + std::string(Mesh::names()[static_cast<std::size_t>(a)]);
      fail("tpx::local_region: " + std::string(what) + " " + std::to_string(number) +
           " is declared Invariant or Replicate on " + along + ", and its values differ from rank to rank");
    } else {
      (void)mesh;
      (void)axes;
      (void)data;
      (void)count;
      (void)what;
      (void)number;
    }
  }
};

}  // namespace detail

/// The layouts of a local region's operands: takes(layout<Shard<0, dp>>, layout<>).
template <class... Layouts>
constexpr detail::Takes<Layouts...> takes(Layouts...) {
  return {};
}

/// The element, layout and global extents of a local region's result: gives<float>(layout<Partial<tp>>, {8,
/// 16}), or static_extents<8, 16>, which the compiler checks on Sized axes.
template <class T, class... Placements, ExtentsLike S>
auto gives(Layout<Placements...>, const S& extents) {
  return detail::Gives<T, S, layout_t<Placements...>>{extents};
}
template <class T, std::size_t N, class... Placements>
auto gives(Layout<Placements...> layout, const std::int64_t (&list)[N]) {
  return gives<T>(layout, extents(list));
}
/// The same for a result of N dims with a shape from elsewhere.
template <class T, int N, class... Placements>
auto gives(Layout<Placements...> layout, const Shape& shape) {
  TPX_EXPECTS(shape.ndim() == N, shape.ndim(), N, "a region's result has N dims");
  return gives<T>(layout, Extents<N>(shape));
}

/// A user's own kernel on the ranks' shards, with the layouts as its contract where no op's rule says what it
/// does; a tuple of results for a tuple of `gives`.
///
///   const auto in = takes(layout<Shard<0, dp>>, layout<Replicate<dp>>);
///   const auto rows = gives<float>(layout<Shard<0, dp>>, {batch, 16});
///   const auto sums = gives<float>(layout<Partial<dp>>, {16});
///   auto y = local_region(f, in, rows, x, w);
///   auto [z, s] = local_region(g, in, std::tuple(rows, sums), x, w);
///
/// What f sees and gives: ops/local_call.hpp. The contract: the shards that f makes are those of tensors of
/// the declared layouts: on an axis where one is Invariant or Replicate every rank makes the same values, where
/// it is Partial terms of a sum. So for the backward, in the dual layouts: dy has that of its result, and f
/// adds to dx what makes the dual of each operand: where that one is Replicate, each rank its own term.
///
/// @pre    the operands have the declared layouts; f keeps the contract
/// @comm   none, forward or backward, except f's own. At TPX_CHECK_LEVEL 3 what is declared Invariant or
///         Replicate in the operands and the results, and in the gradients by the operands' duals, is compared:
///         for each of them over those axes an all_reduce (max) of two i64
/// @throws tpx::Error where a layout cannot hold its result's extents; at level 3, on every rank of the axes,
///         where values differ that are declared the same
template <class Fn, class... Layouts, class... T, class... S, class... L, Tensor... Xs>
auto local_region(const Fn& fn, detail::Takes<Layouts...>, const std::tuple<detail::Gives<T, S, L>...>& gives,
                  const Xs&... xs) {
  if constexpr (!detail::takes_operands<Fn>(detail::Takes<Layouts...>{}, detail::Takes<Xs...>{})) {
    return detail::refused_results(gives);
  } else {
    using Mesh = detail::mesh_of<Xs...>;
    (detail::check_extents<S, L, Mesh>(), ...);
    const detail::Region region("tpx::local_region");
    const Mesh& mesh = std::get<0>(std::tie(xs...)).mesh();
    TPX_EXPECTS((mesh.is(xs.mesh()) && ...), mesh.coordinate_text(),
                "the operands of an op are on one and the same mesh");
    (xs.shard().fetch(), ...);
    return detail::local_call<detail::CompareRanks>(
        fn,
        std::apply(
            [&](const detail::Gives<T, S, L>&... g) {
              return std::tuple(DTensor<T, S::ndim, L, Mesh, detail::track_of<Xs...>>(
                  mesh, g.extents.shape(), detail::allocate_shard<T, L>(mesh, g.extents.shape()))...);
            },
            gives),
        xs...);
  }
}
template <class Fn, class... Layouts, class T, class S, class L, Tensor... Xs>
auto local_region(const Fn& fn, detail::Takes<Layouts...> takes, const detail::Gives<T, S, L>& gives,
                  const Xs&... xs) {
  return std::get<0>(local_region(fn, takes, std::tuple(gives), xs...));
}

template <class Fn, class Declared, class Results, class... Xs>
requires(detail::is_refused<Xs> || ...) auto local_region(const Fn&, Declared, const Results& gives,
                                                          const Xs&... xs) {
  (void)detail::refused_again(xs...);
  return detail::refused_results(gives);
}

}  // namespace tpx
