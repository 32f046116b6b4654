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

static_assert(parts<tpx::Shard<3, dp, tp>>::kind == Kind::shard && parts<tpx::Shard<3, dp, tp>>::dim == 3);
static_assert(std::is_same_v<parts<tpx::Shard<3, dp, tp>>::axes, tpx::AxisList<dp, tp>>);
static_assert(parts<tpx::Replicate<dp>>::kind == Kind::replicate &&
              parts<tpx::Partial<dp>>::kind == Kind::partial &&
              parts<tpx::Invariant<dp>>::kind == Kind::invariant);
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
