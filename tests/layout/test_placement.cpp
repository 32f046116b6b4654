// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <type_traits>

#include <doctest/doctest.h>

#include <tpx/layout/placement.hpp>

namespace {

using namespace tpx::axes;
using tpx::Kind;
using tpx::detail::parts;

static_assert(std::is_empty_v<tpx::Shard<0, dp>> && std::is_empty_v<tpx::Replicate<tp>> &&
              std::is_empty_v<tpx::Partial<tp>> && std::is_empty_v<tpx::Invariant<tp>>);
static_assert(!std::is_same_v<tpx::Shard<0, dp, tp>, tpx::Shard<0, tp, dp>>);  // the order of the split

static_assert(parts<tpx::Shard<3, dp, tp>>::state == tpx::AxisState{Kind::shard, 3});
static_assert(parts<tpx::Shard<3, tpx::Even, dp>>::state == tpx::AxisState{Kind::shard, 3});
static_assert(parts<tpx::Shard<3, tpx::Balanced, dp>>::state ==
              tpx::AxisState{Kind::shard, 3, 0, tpx::Partition::balanced});
static_assert(parts<tpx::Shard<3, tpx::Ragged, dp>>::state ==
              tpx::AxisState{Kind::shard, 3, 0, tpx::Partition::ragged});
static_assert(std::is_same_v<parts<tpx::Shard<3, dp, tp>>::axes, tpx::AxisList<dp, tp>>);
static_assert(parts<tpx::Replicate<dp>>::state.kind == Kind::replicate &&
              parts<tpx::Partial<dp>>::state.kind == Kind::partial &&
              parts<tpx::Invariant<dp>>::state.kind == Kind::invariant);
static_assert(parts<tpx::Partial<tpx::Sum, dp>>::state == tpx::AxisState{Kind::partial});
static_assert(parts<tpx::Partial<tpx::Max, dp>>::state ==
              tpx::AxisState{Kind::partial, 0, 0, tpx::Partition::even, tpx::Reduction::max});
static_assert(parts<tpx::Partial<tpx::Min, dp>>::state ==
              tpx::AxisState{Kind::partial, 0, 0, tpx::Partition::even, tpx::Reduction::min});
static_assert(std::is_same_v<parts<tpx::Shard<3, tpx::Ragged, dp, tp>>::axes, tpx::AxisList<dp, tp>>);
static_assert(std::is_same_v<parts<tpx::Partial<tp, cp>>::axes, tpx::AxisList<tp, cp>>);

template <class...>
struct looks_like_one {};
static_assert(std::is_same_v<parts<int>::axes, tpx::AxisList<>>);
static_assert(std::is_same_v<parts<looks_like_one<dp>>::axes, tpx::AxisList<>>);

}  // namespace

TEST_CASE("placement: how often a list has an axis") {
  CHECK(tpx::detail::count_axis<dp, tpx::AxisList<>> == 0);
  CHECK(tpx::detail::count_axis<dp, tpx::AxisList<tp, cp>> == 0);
  CHECK(tpx::detail::count_axis<dp, tpx::AxisList<dp, tp, dp>> == 2);
}
