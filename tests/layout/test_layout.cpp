// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <array>
#include <type_traits>
#include <utility>

#include <doctest/doctest.h>

#include <tpx/layout/layout.hpp>

#include "specs.hpp"

namespace {

using namespace tpx::axes;
using tpx::dual_t;
using tpx::Invariant;
using tpx::Layout;
using tpx::layout_t;
using tpx::Partial;
using tpx::Replicate;
using tpx::Shard;
using tpx::Spec;
using tpx::with_t;

template <class A, class B>
inline constexpr bool same = std::is_same_v<A, B>;

// ---- many spellings, one type -----------------------------------------------------------------
static_assert(same<layout_t<>, Layout<>>);
static_assert(same<layout_t<Invariant<tp>>, Layout<>>);
static_assert(same<layout_t<Invariant<tp, dp>, Invariant<cp>>, Layout<>>);
static_assert(same<layout_t<Replicate<tp>, Replicate<dp>>, Layout<Replicate<dp, tp>>>);
static_assert(same<layout_t<Replicate<tp, dp>>, Layout<Replicate<dp, tp>>>);
static_assert(same<layout_t<Partial<tp>, Invariant<pp>, Partial<cp>>, Layout<Partial<cp, tp>>>);
static_assert(same<layout_t<Partial<tp>, Shard<1, dp>, Replicate<cp>, Shard<0, pp>>,
                   Layout<Shard<0, pp>, Shard<1, dp>, Replicate<cp>, Partial<tp>>>);
static_assert(same<layout_t<Shard<0, pp>, Replicate<cp>, Shard<1, dp>, Partial<tp>>,
                   Layout<Shard<0, pp>, Shard<1, dp>, Replicate<cp>, Partial<tp>>>);

// Placements that split one dim are one, in the order they are written; another order is another type.
static_assert(same<layout_t<Shard<0, dp>, Shard<0, tp>>, Layout<Shard<0, dp, tp>>>);
static_assert(
    same<layout_t<Shard<0, dp>, Replicate<cp>, Shard<0, tp>>, Layout<Shard<0, dp, tp>, Replicate<cp>>>);
static_assert(!same<layout_t<Shard<0, dp, tp>>, layout_t<Shard<0, tp, dp>>>);
static_assert(!same<layout_t<Shard<0, dp>>, layout_t<Shard<1, dp>>>);

// What is canonical stays what it is.
static_assert(same<layout_t<Shard<0, tp, dp>, Partial<cp>>, Layout<Shard<0, tp, dp>, Partial<cp>>>);
static_assert(same<layout_t<Shard<11, dp, pp, tp, cp>>, Layout<Shard<11, dp, pp, tp, cp>>>);

// As an object.
static_assert(same<std::remove_const_t<decltype(tpx::layout<Partial<tp>, Shard<0, dp>>)>,
                   Layout<Shard<0, dp>, Partial<tp>>>);
static_assert(std::is_empty_v<Layout<Shard<0, dp>, Partial<tp>>>);

// ---- changes ----------------------------------------------------------------------------------
using Rows = layout_t<Shard<0, dp>, Partial<tp>>;
static_assert(same<with_t<Rows>, Rows>);
static_assert(same<with_t<Rows, Replicate<tp>>, Layout<Shard<0, dp>, Replicate<tp>>>);
static_assert(same<with_t<Rows, Invariant<tp>>, Layout<Shard<0, dp>>>);
static_assert(same<with_t<Rows, Invariant<tp>, Replicate<dp>>, Layout<Replicate<dp>>>);
static_assert(same<with_t<Rows, Shard<0, tp>>, Layout<Shard<0, dp, tp>>>);  // the last to split dim 0
static_assert(same<with_t<layout_t<Shard<0, tp>>, Shard<0, dp>>, Layout<Shard<0, tp, dp>>>);
static_assert(same<with_t<layout_t<Shard<0, dp, tp>>, Replicate<dp>>, Layout<Shard<0, tp>, Replicate<dp>>>);
static_assert(same<with_t<layout_t<Shard<0, dp, tp>>, Shard<0, dp>>, Layout<Shard<0, tp, dp>>>);
static_assert(same<with_t<layout_t<Shard<0, dp, tp>>, Shard<0, tp, dp>>, Layout<Shard<0, tp, dp>>>);
static_assert(same<with_t<layout_t<>, Partial<cp>>, Layout<Partial<cp>>>);  // an axis not named before
static_assert(same<with_t<Rows, layout_t<>>, Layout<>>);  // a whole layout replaces the old one
static_assert(same<with_t<Rows, Layout<Shard<1, tp>>>, Layout<Shard<1, tp>>>);

// ---- gradients --------------------------------------------------------------------------------
static_assert(same<dual_t<layout_t<>>, Layout<>>);
static_assert(same<dual_t<layout_t<Replicate<dp, tp>>>, Layout<Partial<dp, tp>>>);
static_assert(same<dual_t<layout_t<Shard<0, tp, dp>, Replicate<cp>, Partial<pp>>>,
                   Layout<Shard<0, tp, dp>, Replicate<pp>, Partial<cp>>>);

// ---- values -----------------------------------------------------------------------------------
using Mesh = tpx::AxisList<dp, tp>;
static_assert(tpx::spec_v<layout_t<>, Mesh> == Spec{});
static_assert(tpx::spec_v<Rows, Mesh>[0] == tpx::AxisState{tpx::Kind::shard, 0, 0});
static_assert(tpx::spec_v<Rows, Mesh>[1] == tpx::AxisState{tpx::Kind::partial, 0, 0});
static_assert(tpx::spec_v<Rows, tpx::AxisList<tp, cp, dp>>[2] == tpx::AxisState{tpx::Kind::shard, 0, 0});
static_assert(tpx::spec_v<layout_t<Shard<1, tp, dp>>, Mesh>[0] == tpx::AxisState{tpx::Kind::shard, 1, 1});
static_assert(tpx::spec_v<Rows, Mesh> ==
              tpx::spec_v<Layout<Partial<tp>, Shard<0, dp>>, Mesh>);  // not canonical

static_assert(tpx::detail::is_layout<Rows> && tpx::detail::is_layout<Layout<>> &&
              !tpx::detail::is_layout<Shard<0, dp>>);

/// Every layout of a tensor with Ndim dims on the axes of List.
template <class List, int Ndim>
struct all_specs {
  static constexpr int count = domain::number_of_specs(List::size, Ndim);
  static constexpr auto value = [] {
    std::array<std::uint32_t, static_cast<std::size_t>(count)> bits{};
    std::size_t i = 0;
    domain::for_each_spec(List::size, Ndim, [&](Spec s) { bits[i++] = s.bits; });
    return bits;
  }();
};

/// From a value to its type and back; the type is canonical, and its dual is the dual's type.
template <class List, class Mirrored, std::uint32_t Bits>
constexpr bool round_trip() {
  using L = tpx::layout_from_spec<List, Bits>;
  // The same type whatever the order of the mesh's axes.
  using Again = tpx::layout_from_spec<Mirrored, tpx::spec_v<L, Mirrored>.bits>;
  return tpx::spec_v<L, List> == Spec{Bits} && same<Again, L> &&
         same<dual_t<L>, tpx::layout_from_spec<List, tpx::dual(Spec{Bits}).bits>> && same<dual_t<dual_t<L>>, L>;
}
template <class List, class Mirrored, int Ndim>
constexpr bool round_trips() {
  using All = all_specs<List, Ndim>;
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return (round_trip<List, Mirrored, All::value[I]>() && ...);
  }
  (std::make_index_sequence<static_cast<std::size_t>(All::count)>{});
}
static_assert(round_trips<tpx::AxisList<tp>, tpx::AxisList<tp>, 3>());
static_assert(round_trips<tpx::AxisList<dp, tp>, tpx::AxisList<tp, dp>, 2>());
static_assert(round_trips<tpx::AxisList<dp, tp, cp>, tpx::AxisList<cp, tp, dp>, 2>());

// How a dim is cut and what terms become are part of the one type; the defaults are not spelled.
static_assert(std::is_same_v<tpx::layout_t<tpx::Shard<0, tpx::Even, tp>, tpx::Partial<tpx::Sum, dp>>,
                             tpx::Layout<tpx::Shard<0, tp>, tpx::Partial<dp>>>);
static_assert(std::is_same_v<tpx::layout_t<tpx::Partial<tpx::Max, dp>, tpx::Shard<0, tpx::Balanced, tp>>,
                             tpx::Layout<tpx::Shard<0, tpx::Balanced, tp>, tpx::Partial<tpx::Max, dp>>>);
static_assert(
    std::is_same_v<tpx::with_t<tpx::layout_t<tpx::Shard<0, tpx::Ragged, dp>>, tpx::Shard<0, tpx::Ragged, tp>>,
                   tpx::Layout<tpx::Shard<0, tpx::Ragged, dp, tp>>>);
static_assert(std::is_same_v<tpx::dual_t<tpx::layout_t<tpx::Shard<0, tpx::Balanced, tp>, tpx::Partial<dp>>>,
                             tpx::Layout<tpx::Shard<0, tpx::Balanced, tp>, tpx::Replicate<dp>>>);

}  // namespace

TEST_CASE("layout: a layout names its axes whatever the mesh has besides") {
  constexpr Spec small = tpx::spec_v<Rows, tpx::AxisList<dp, tp>>;
  constexpr Spec large = tpx::spec_v<Rows, tpx::AxisList<pp, dp, cp, tp>>;
  CHECK(large[0] == tpx::AxisState{});
  CHECK(large[1] == small[0]);
  CHECK(large[2] == tpx::AxisState{});
  CHECK(large[3] == small[1]);
}
