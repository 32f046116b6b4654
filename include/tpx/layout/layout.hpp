// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <type_traits>
#include <utility>

#include <tpx/layout/layout_refusal.hpp>
#include <tpx/layout/placement.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// The layout of a tensor: its placements, in canonical order, Invariant not spelled. Write `layout_t<...>`
/// or `layout<...>` in whatever order is convenient; both give the one canonical type.
template <class... Placements>
struct Layout {};

namespace detail {

// ---- from a type to a value -------------------------------------------------------------------

/// All axes that the placements name, each once. What is not an axis is left out: `place` refuses it.
template <class List, class More>
struct append_axes;
template <class... Have, class... More>
struct append_axes<AxisList<Have...>, AxisList<More...>> {
  using type = AxisList<Have...>;
};
template <class... Have, class Axis, class... More>
struct append_axes<AxisList<Have...>, AxisList<Axis, More...>>
    : append_axes<std::conditional_t<MeshAxis<Axis>, typename append_new<AxisList<Have...>, Axis>::type,
                                     AxisList<Have...>>,
                  AxisList<More...>> {};
template <class List, class... Placements>
struct axes_with {
  using type = List;
};
template <class List, class First, class... Rest>
struct axes_with<List, First, Rest...>
    : axes_with<typename append_axes<List, typename parts<First>::axes>::type, Rest...> {};
template <class... Placements>
using axes_of = typename axes_with<AxisList<>, Placements...>::type;

/// Places the axes of one placement into `spec`, in the order they are written. The rules are asked for one
/// after the other, so that one mistake makes one error.
template <class List, class Placement, class Axes = typename parts<Placement>::axes>
struct place;
template <class List, class Placement, class... Axes>
struct place<List, Placement, AxisList<Axes...>> {
  static constexpr Spec in(Spec spec) {
    constexpr AxisState state = parts<Placement>::state;
    constexpr bool dim_fits = state.dim >= 0 && state.dim < Spec::max_dims;
    if constexpr (sizeof...(Axes) == 0) {
      a_placement_names_an_axis<false, in_placement<Placement>>();
    } else if constexpr ((is_word_beside_axes<Axes> || ...)) {
      words_stand_in_front_of_the_axes<false, in_placement<Placement>>();
    } else if constexpr (!(MeshAxis<Axes> && ...)) {
      (an_axis_has_a_name<MeshAxis<Axes>, axis<Axes>, in_placement<Placement>>(), ...);
    } else if constexpr (!dim_fits) {
      a_dim_is_counted_from_0<false, in_placement<Placement>>();
    } else if constexpr (List::size > max_axes) {
      a_mesh_has_four_axes<false, mesh<List>>();
    } else {
      (the_mesh_has_the_axis<(index_of<Axes, List> >= 0), axis<Axes>, mesh<List>>(), ...);
      ((spec = index_of<Axes, List> >= 0 ? placed(spec, index_of<Axes, List>, state) : spec), ...);
    }
    return spec;
  }
};

template <class Axis, class... Placements>
inline constexpr int mentions = (0 + ... + count_axis<Axis, typename parts<Placements>::axes>);

/// Applies the placements one after the other; the axes they do not name keep their state.
template <class List, class... Placements>
constexpr Spec apply_placements(Spec spec) {
  ((spec = place<List, Placements>::in(spec)), ...);
  return spec;
}

template <class AllAxes, class... Placements>
struct once;
template <class... Axes, class... Placements>
struct once<AxisList<Axes...>, Placements...> {
  static constexpr bool check() {
    (an_axis_is_used_once<(mentions<Axes, Placements...> <= 1), axis<Axes>, in_layout<Placements...>>(), ...);
    return ((mentions<Axes, Placements...> <= 1) && ...);
  }
  static constexpr bool value = check();
};

/// `after`, if all of it is cut and reduced one way each, else `before` and the error that says so.
template <std::uint32_t before, std::uint32_t after, class... Placements>
constexpr Spec of_one_kind() {
  constexpr bool cut = cut_one_way(Spec{after});
  constexpr bool reduced = reduced_one_way(Spec{after});
  a_dim_is_cut_one_way<cut, in_layout<Placements...>>();
  terms_become_one_by_one_reduction<reduced, in_layout<Placements...>>();
  return Spec{cut && reduced ? after : before};
}

/// `before` after the placements; unchanged where they do not fit together.
template <class List, std::uint32_t before, class... Placements>
constexpr Spec placed_once() {
  if constexpr (once<axes_of<Placements...>, Placements...>::value)
    return of_one_kind<before, apply_placements<List, Placements...>(Spec{before}).bits, Placements...>();
  else
    return Spec{before};
}

template <class L, class List>
struct spec_of;
template <class... Placements, class List>
struct spec_of<Layout<Placements...>, List> {
  static constexpr Spec value = placed_once<List, 0, Placements...>();
};

// ---- from a value to a type -------------------------------------------------------------------

/// The placements that a Spec spells, as numbers: shards by dim, then Replicate, then Partial, the axes of
/// these two by name, so that the type does not depend on the mesh's order.
struct Spelling {
  int placements = 0;
  AxisState state[max_axes]{};
  int axes[max_axes]{};
  int axis[max_axes][max_axes]{};
};

template <class List>
constexpr Spelling spell(Spec spec) {
  Spelling s{};
  const auto& names = names_of<List>;
  for (int dim = 0; dim < Spec::max_dims; ++dim) {
    const int count = shard_count(spec, dim);
    if (count == 0) continue;
    s.state[s.placements] = spec[shard_axis(spec, dim, 0)];
    for (int order = 0; order < count; ++order) s.axis[s.placements][order] = shard_axis(spec, dim, order);
    s.axes[s.placements++] = count;
  }
  for (const Kind kind : {Kind::replicate, Kind::partial}) {
    int count = 0;
    int sorted[max_axes]{};
    for (int a = 0; a < List::size && a < max_axes; ++a) {
      if (spec[a].kind != kind) continue;
      int at = count++;
      for (; at > 0 && names[static_cast<std::size_t>(a)] < names[static_cast<std::size_t>(sorted[at - 1])];
           --at)
        sorted[at] = sorted[at - 1];
      sorted[at] = a;
    }
    if (count == 0) continue;
    s.state[s.placements] = spec[sorted[0]];
    for (int i = 0; i < count; ++i) s.axis[s.placements][i] = sorted[i];
    s.axes[s.placements++] = count;
  }
  return s;
}

// The value and the type that is made of it live in different templates: nvcc enters such a circle.
template <class List, std::uint32_t Bits>
inline constexpr Spelling spelling_v = spell<List>(Spec{Bits});

template <class List, std::uint32_t Bits, int P, class Seq>
struct spelled_placement;
template <class List, std::uint32_t Bits, int P, std::size_t... I>
struct spelled_placement<List, Bits, P, std::index_sequence<I...>>
    : placement_of<spelling_v<List, Bits>.state[P].kind, spelling_v<List, Bits>.state[P].dim,
                   spelling_v<List, Bits>.state[P].partition, spelling_v<List, Bits>.state[P].reduction,
                   axis_at_t<spelling_v<List, Bits>.axis[P][I], List>...>{};

template <class List, std::uint32_t Bits, class Seq>
struct spelled_layout;
template <class List, std::uint32_t Bits, std::size_t... P>
struct spelled_layout<List, Bits, std::index_sequence<P...>> {
  using type = Layout<typename spelled_placement<
      List, Bits, static_cast<int>(P),
      std::make_index_sequence<static_cast<std::size_t>(spelling_v<List, Bits>.axes[P])>>::type...>;
};

}  // namespace detail

/// The value of a layout on the axes of a mesh.
/// @pre every axis that L names is in List
template <class L, class List>
inline constexpr Spec spec_v = detail::spec_of<L, List>::value;

/// The canonical type of a value.  @post spec_v<layout_from_spec<List, spec>, List> == spec
template <class List, std::uint32_t Bits>
using layout_from_spec = typename detail::spelled_layout<
    List, Bits,
    std::make_index_sequence<static_cast<std::size_t>(detail::spelling_v<List, Bits>.placements)>>::type;

namespace detail {

template <class... Placements>
struct canonical {
  using list = axes_of<Placements...>;
  using type = layout_from_spec<list, spec_v<Layout<Placements...>, list>.bits>;
};

/// L where the axes that Placements name have changed to them; a new Shard splits its dim last.
template <class L, class... Placements>
struct with_placements;
template <class... Have, class... Placements>
struct with_placements<Layout<Have...>, Placements...> {
  using list = axes_of<Have..., Placements...>;
  static constexpr Spec value = placed_once<list, spec_v<Layout<Have...>, list>.bits, Placements...>();
};
template <class L, class... Placements>
struct with_placements_type {
  using type = layout_from_spec<typename with_placements<L, Placements...>::list,
                                with_placements<L, Placements...>::value.bits>;
};
// A whole layout replaces the old one.
template <class L, class... Placements>
struct with_placements_type<L, Layout<Placements...>> : canonical<Placements...> {};

template <class L>
struct dual_layout {
  using type = std::conditional_t<(a_layout_has_a_dual<false, given<L>>(), true), Layout<>, L>;
};
template <class... Placements>
struct dual_layout<Layout<Placements...>> {
  using list = axes_of<Placements...>;
  static constexpr Spec value = spec_v<Layout<Placements...>, list>;
  static constexpr bool sums = has_gradient(value);
  using type =
      layout_from_spec<list, (a_maximum_has_no_gradient<sums, in_layout<Placements...>>(), dual(value)).bits>;
};

template <class T>
inline constexpr bool is_layout = false;
template <class... Placements>
inline constexpr bool is_layout<Layout<Placements...>> = true;

}  // namespace detail

/// The canonical layout made of these placements, written in any order: axes that are not named are
/// Invariant, so `layout_t<>` is the same value on every rank.
template <class... Placements>
using layout_t = typename detail::canonical<Placements...>::type;

/// The same as an object, to be given to a function: `zeros<float>(mesh, layout<Shard<0, dp>>, {8, 16})`.
template <class... Placements>
inline constexpr layout_t<Placements...> layout{};

/// L after the axes that Placements name have changed to them (the others keep theirs), or the layout
/// itself where one is given. A new Shard splits its dim after those that split it already.
template <class L, class... Placements>
using with_t = typename detail::with_placements_type<L, Placements...>::type;

/// Layout of the gradient of a tensor with layout L.  @post dual_t<dual_t<L>> is L
template <class L>
using dual_t = typename detail::dual_layout<L>::type;

}  // namespace tpx
