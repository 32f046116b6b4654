// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <cstdint>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <tpx/layout/shape.hpp>

namespace {

constexpr tpx::Shape shape{2, 3, 5};
static_assert(shape.ndim() == 3 && shape[0] == 2 && shape[2] == 5);
static_assert(shape.count() == 30 && shape.count(1, 3) == 15 && shape.count(0, 1) == 2 &&
              shape.count(2, 2) == 1);
static_assert(tpx::Shape{}.ndim() == 0 && tpx::Shape{}.count() == 1);  // a scalar
static_assert(tpx::Shape{4, 0}.count() == 0);
static_assert(shape == tpx::Shape{2, 3, 5});
static_assert(!(shape == tpx::Shape{2, 3}) && !(shape == tpx::Shape{2, 3, 6}) &&
              !(shape == tpx::Shape{3, 2, 5}));
static_assert(tpx::Shape{1 << 20, 1 << 20, 1 << 20}.count() == std::int64_t{1} << 60);  // 64-bit

constexpr tpx::Shape grown() {
  tpx::Shape s;
  for (int d = 0; d < 12; ++d) s.push_back(d + 1);
  s[3] = 7;
  return s;
}
static_assert(grown().ndim() == 12 && grown()[11] == 12 && grown()[3] == 7);

}  // namespace

TEST_CASE("shape: a tensor has at most 12 dims") {
  tpx::Shape s = grown();
  CHECK_THROWS_WITH_AS(s.push_back(1), "tpx::Shape: a tensor has at most 12 dims", tpx::Error);
  CHECK(s == grown());
}

TEST_CASE("shape: the sizes of Ragged pieces go along, and add up") {
  const tpx::Shape s = tpx::Shape{7, 4}.with_pieces(0, {3, 0, 4});
  const tpx::Shape both = s.with_pieces(1, {1, 3});
  tpx::Shape other{1};
  other = both;
  CHECK(std::vector<std::int64_t>(other.pieces(0).begin(), other.pieces(0).end()) ==
        std::vector<std::int64_t>{3, 0, 4});
  CHECK(other.pieces(1).size() == 2);
  CHECK(s.pieces(1).empty());
  CHECK(tpx::Shape{7, 4}.pieces(0).empty());
  CHECK(both == tpx::Shape{7, 4});  // extents are compared
  CHECK(both.with_pieces(0, {7}).pieces(0).size() == 1);
  CHECK_THROWS_WITH_AS((tpx::Shape{7, 4}.with_pieces(0, {3, 3})),
                       "tpx::Shape::with_pieces: the sizes of the pieces of dim 0 add up to 6, its extent is 7",
                       tpx::Error);
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_WITH_AS((tpx::Shape{4, 4}.with_pieces(0, {huge, huge, 6})),
                       "tpx::Shape::with_pieces: the sizes of the pieces of dim 0 add up to more than its "
                       "extent, which is 4",
                       tpx::Error);
  CHECK_THROWS_WITH_AS((tpx::Shape{7, 4}.with_pieces(0, {8, -1})),
                       "tpx::Shape::with_pieces: the size of a piece is not negative", tpx::Error);
  CHECK_THROWS_WITH_AS((tpx::Shape{7, 4}.with_pieces(2, {7})), "tpx::Shape::with_pieces: dim 2 of 2 dims",
                       tpx::Error);
}
