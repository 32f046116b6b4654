// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/index.hpp>

#include <vector>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// x [4,12,6] and n = 24 numbers below 12, in any order, some twice, some never.
constexpr std::size_t outer = 4, rows = 12, columns = 6, count = 24;

std::vector<std::size_t> numbers() {
  std::vector<std::size_t> index;
  for (std::size_t i = 0; i < count; ++i) index.push_back((i * 7 + i / 5) % (rows - 1));
  return index;
}
Values as_values(const std::vector<std::size_t>& index) { return Values(index.begin(), index.end()); }

/// y[o,i,c] = x[o,index[i],c]
Values selected(const Values& x) {
  Values y;
  for (std::size_t o = 0; o < outer; ++o)
    for (const std::size_t v : numbers())
      for (std::size_t c = 0; c < columns; ++c) y.push_back(x[(o * rows + v) * columns + c]);
  return y;
}
/// x[o,index[i],c] = the sum of y[o,i,c]
Values added(const Values& y) {
  Values x(outer * rows * columns, 0.0);
  const auto index = numbers();
  for (std::size_t o = 0; o < outer; ++o)
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t c = 0; c < columns; ++c)
        x[(o * rows + index[i]) * columns + c] += y[(o * count + i) * columns + c];
  return x;
}

}  // namespace

TEST_CASE("index_select in every placement of the operand and the index") {
  const Values x = random_values(outer * rows * columns, 1), dy = random_values(outer * count * columns, 2);
  const auto op = [](const auto& a, const auto& i) { return index_select<1>(a, i); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto lx, auto li) {
      check_op<T>(world, mesh, op, selected(x), dy, {added(dy), Values{}}, 0, given<T>(lx, {4, 12, 6}, x),
                  given<std::int32_t>(li, {24}, as_values(numbers())));
    };
    check(0.0, layout<>, layout<>);
    check(0.0, layout<Replicate<tp>>, layout<>);
    check(0.0, layout<Shard<1, tp>>, layout<>);
    check(0.0, layout<Shard<1, Balanced, dp, tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, Balanced, dp>, Shard<2, Balanced, tp>>, layout<>);
    check(0.0, layout<Partial<tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Replicate<tp>>, layout<Shard<0, tp>>);
    check(0.0f, layout<Replicate<dp>, Shard<1, tp>>, layout<Shard<0, Balanced, dp>>);
  });
}

TEST_CASE("index_add in every placement of the operand and the index") {
  const Values x = random_values(outer * count * columns, 3), dy = random_values(outer * rows * columns, 4);
  const auto op = [](const auto& a, const auto& i) { return index_add<1>(a, i, 12); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto lx, auto li) {
      check_op<T>(world, mesh, op, added(x), dy, {selected(dy), Values{}}, 0, given<T>(lx, {4, 24, 6}, x),
                  given<std::int32_t>(li, {24}, as_values(numbers())));
    };
    check(0.0, layout<>, layout<>);
    check(0.0, layout<Replicate<tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Shard<1, tp>>, layout<Shard<0, tp>>);
    check(0.0, layout<Shard<1, Balanced, dp, tp>>, layout<Shard<0, Balanced, dp, tp>>);
    check(0.0, layout<Shard<0, Balanced, dp>, Shard<2, Balanced, tp>>, layout<>);
    check(0.0, layout<Partial<tp>>, layout<Replicate<tp>>);
    check(0.0f, layout<Shard<1, dp>, Shard<2, Balanced, tp>>, layout<Shard<0, dp>>);
  });
}

TEST_CASE("an index of several dims takes the dim's place, and adds back") {
  const Values table = random_values(5 * 2, 5), dy = random_values(2 * 3 * 2 * 2, 6);
  const std::vector<std::size_t> id{4, 0, 0, 3, 4, 1, 2, 2, 0, 4, 4, 3};
  Values y, dtable(10, 0.0);
  for (std::size_t i = 0; i < 12; ++i)
    for (std::size_t c = 0; c < 2; ++c) {
      y.push_back(table[id[i] * 2 + c]);
      dtable[id[i] * 2 + c] += dy[i * 2 + c];
    }
  for_each_mesh([&](const World& world, const auto& mesh) {
    check_op<double>(
        world, mesh, [](const auto& a, const auto& i) { return index_select<0>(a, i); }, y, dy,
        {dtable, Values{}}, 0, given<double>(layout<Replicate<tp>>, {5, 2}, table),
        given<std::int32_t>(layout<Shard<1, Balanced, tp>>, {2, 3, 2}, as_values(id)));
    check_op<double>(
        world, mesh, [](const auto& a, const auto& i) { return index_add<0>(a, i, 5); }, dtable, table,
        {y, Values{}}, 0, given<double>(layout<Shard<1, Balanced, tp>>, {2, 3, 2, 2}, dy),
        given<std::int32_t>(layout<Shard<1, Balanced, tp>>, {2, 3, 2}, as_values(id)));
  });
}

TEST_CASE(
    "the layouts follow from the rule; numbers outside and extents that differ are refused on every rank") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto x = zeros<double>(mesh, layout<Shard<0, Balanced, dp>, Shard<1, Balanced, tp>>, {2, 3});
    const auto i = full<std::int32_t>(mesh, layout<>, {4}, 2);
    static_assert(std::is_same_v<typename decltype(index_select<1>(x, i))::layout_type,
                                 layout_t<Shard<0, Balanced, dp>, Partial<tp>>>);
    CHECK(index_select<1>(x, i).shape() == Shape{2, 4});
    for (const std::int32_t wrong : {-1, 3}) {
      const auto outside = full<std::int32_t>(mesh, layout<>, {4}, wrong);
      CHECK_THROWS_WITH_AS(index_select<1>(x, outside), doctest::Contains("outside = 4; Dim = 1"), Error);
      const auto y = zeros<double>(mesh, layout<>, {4});
      CHECK_THROWS_WITH_AS(index_add<0>(y, outside, 3), doctest::Contains("outside = 4; extent = 3"), Error);
    }
    const auto five = zeros<double>(mesh, layout<>, {5});
    CHECK_THROWS_WITH_AS(index_add<0>(five, i, 3), doctest::Contains("f64[5]; index.describe() = i32[4]"),
                         Error);
  });
}
