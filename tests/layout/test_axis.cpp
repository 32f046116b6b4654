// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <string>
#include <type_traits>

#include <doctest/doctest.h>

#include <tpx/layout/axis.hpp>

namespace user {

struct expert_group {
  static constexpr char name[] = "expert_group";
};
struct samples {
  static constexpr std::string_view name = "samples";
  static constexpr bool data = true;
};
struct not_data {
  static constexpr char name[] = "not_data";
  static constexpr bool data = false;
};
struct without_name {};
struct with_member {
  static constexpr char name[] = "with_member";
  int size;
};

}  // namespace user

namespace {

using namespace tpx::axes;
using namespace user;
namespace detail = tpx::detail;

static_assert(tpx::MeshAxis<dp> && tpx::MeshAxis<tp> && tpx::MeshAxis<expert_group> && tpx::MeshAxis<samples>);
static_assert(!tpx::MeshAxis<without_name> && !tpx::MeshAxis<with_member> && !tpx::MeshAxis<int>);

static_assert(tpx::is_data_axis_v<dp> && tpx::is_data_axis_v<cp> && tpx::is_data_axis_v<samples>);
static_assert(!tpx::is_data_axis_v<tp> && !tpx::is_data_axis_v<pp> && !tpx::is_data_axis_v<ep> &&
              !tpx::is_data_axis_v<expert_group> && !tpx::is_data_axis_v<not_data>);

using List = tpx::AxisList<dp, pp, tp>;
static_assert(List::size == 3 && tpx::AxisList<>::size == 0);
static_assert(std::is_empty_v<List> && std::is_empty_v<tpx::over<dp, tp>>);

static_assert(detail::index_of<dp, List> == 0 && detail::index_of<tp, List> == 2);
static_assert(detail::index_of<cp, List> == -1 && detail::index_of<dp, tpx::AxisList<>> == -1);

static_assert(detail::mask_of<tpx::over<>, List> == 0u);
static_assert(detail::mask_of<tpx::over<tp>, List> == 0b100u);
static_assert(detail::mask_of<tpx::over<tp, dp>, List> == 0b101u);

static_assert(std::is_same_v<detail::axis_at_t<0, List>, dp> && std::is_same_v<detail::axis_at_t<2, List>, tp>);

template <class List, class... Axes>
using appended = typename detail::append_new<List, Axes...>::type;
static_assert(std::is_same_v<appended<tpx::AxisList<>>, tpx::AxisList<>>);
static_assert(std::is_same_v<appended<tpx::AxisList<>, tp, dp, tp>, tpx::AxisList<tp, dp>>);
static_assert(std::is_same_v<appended<tpx::AxisList<dp>, cp, dp>, tpx::AxisList<dp, cp>>);

}  // namespace

TEST_CASE("axis: names along a list") {
  const auto& names = detail::names_of<tpx::AxisList<dp, samples, expert_group>>;
  REQUIRE(names.size() == 3);
  CHECK(std::string(names[0]) == "dp");
  CHECK(std::string(names[1]) == "samples");
  CHECK(std::string(names[2]) == "expert_group");
  CHECK(detail::names_of<tpx::AxisList<>>.empty());
}
