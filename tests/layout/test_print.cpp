// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <array>
#include <string>

#include <doctest/doctest.h>

#include <tpx/layout/layout.hpp>
#include <tpx/layout/print.hpp>

namespace {

using namespace tpx::axes;
using tpx::Partial;
using tpx::Replicate;
using tpx::Shard;

template <class... Placements>
std::string printed(const tpx::Shape& shape) {
  using Mesh = tpx::AxisList<dp, tp, cp>;
  return tpx::print("f32", shape, tpx::spec_v<tpx::layout_t<Placements...>, Mesh>, tpx::detail::names_of<Mesh>);
}

}  // namespace

TEST_CASE("print: a tensor's type") {
  CHECK(printed<>({8, 16}) == "f32[8,16]");
  CHECK(printed<>({}) == "f32[]");
  CHECK(printed<Shard<0, dp>>({8, 16}) == "f32[8@dp,16]");
  CHECK(printed<Shard<0, dp>, Partial<tp>>({8, 16}) == "f32[8@dp,16]{P:tp}");
  CHECK(printed<Shard<0, dp, tp>>({8}) == "f32[8@dp@tp]");
  CHECK(printed<Shard<0, tp, dp>>({8}) == "f32[8@tp@dp]");  // major first
  CHECK(printed<Shard<0, dp>, Shard<1, tp>, Replicate<cp>>({8, 16}) == "f32[8@dp,16@tp]{R:cp}");
  CHECK(printed<Replicate<dp, cp>>({8}) == "f32[8]{R:dp,cp}");
  CHECK(printed<Partial<tp>, Replicate<cp, dp>>({8}) == "f32[8]{R:dp,cp P:tp}");
  CHECK(printed<Shard<0, tpx::Balanced, dp, tp>>({9, 16}) == "f32[9@dp@tp:balanced,16]");
  CHECK(printed<Shard<1, tpx::Ragged, tp>>({9, 16}) == "f32[9,16@tp:ragged]");
  CHECK(printed<Partial<tpx::Max, tp>, Replicate<dp>>({8}) == "f32[8]{R:dp Pmax:tp}");
  CHECK(printed<Partial<tpx::Min, cp, tp>>({8}) == "f32[8]{Pmin:tp,cp}");
  CHECK(printed<>({std::int64_t{1} << 40}) == "f32[1099511627776]");
}

TEST_CASE("print: one state") {
  CHECK(tpx::print(tpx::AxisState{}) == "I");
  CHECK(tpx::print(tpx::AxisState{tpx::Kind::replicate, 0, 0}) == "R");
  CHECK(tpx::print(tpx::AxisState{tpx::Kind::partial, 0, 0}) == "P(sum)");
  CHECK(tpx::print(tpx::AxisState{tpx::Kind::shard, 11, 2}) == "S(11)");
  CHECK(tpx::print(tpx::AxisState{tpx::Kind::shard, 1, 0, tpx::Partition::balanced}) == "S(1,balanced)");
  CHECK(tpx::print(tpx::AxisState{tpx::Kind::shard, 1, 0, tpx::Partition::ragged}) == "S(1,ragged)");
  CHECK(tpx::print(tpx::AxisState{tpx::Kind::partial, 0, 0, tpx::Partition::even, tpx::Reduction::max}) ==
        "P(max)");
}
