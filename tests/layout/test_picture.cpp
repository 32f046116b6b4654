// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/layout/picture.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/layout/layout.hpp>
#include <tpx/layout/picture_svg.hpp>

#include "specs.hpp"

namespace {

using namespace tpx::axes;
using tpx::Grid;
using tpx::Partial;
using tpx::Picture;
using tpx::Piece;
using tpx::Replicate;
using tpx::Shape;
using tpx::Shard;
using tpx::Spec;

using Mesh = tpx::AxisList<dp, tp, cp>;
constexpr Grid grid{3, {2, 4, 2}};

Picture of(const Shape& shape, Spec spec, const Grid& sizes = grid) {
  return Picture("f32", shape, spec, sizes, tpx::detail::names_of<Mesh>);
}
template <class... Placements>
Picture of(const Shape& shape) {
  return of(shape, tpx::spec_v<tpx::layout_t<Placements...>, Mesh>);
}

int times(std::string_view part, std::string_view text) {
  int n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("picture: two dims on a terminal") {
  CHECK(of<Shard<0, dp>, Shard<1, tp>, Partial<cp>>({8, 16}).text() ==
        R"(f32[8@dp,16@tp]{P:cp} on dp=2,tp=4,cp=2

         dim 1
         0       4       8       12
         +-------+-------+-------+-------+
dim 0  0 | 0,1   | 2,3   | 4,5   | 6,7   |
         +-------+-------+-------+-------+
       4 | 8,9   | 10,11 | 12,13 | 14,15 |
         +-------+-------+-------+-------+

each rank holds 16 of 128 elements
dp, 2 ranks: different pieces of dim 0
tp, 4 ranks: different pieces of dim 1
cp, 2 ranks: terms that are still to be combined, P(sum)
)");
}

TEST_CASE("picture: one dim on two axes, three dims, none") {
  const std::string one = of<Shard<0, tp, dp>, Replicate<cp>>({16}).text();
  CHECK(one.find("0       2       4       6       8       10      12      14\n") != one.npos);
  CHECK(one.find("| 0,1 | 8,9 | 2,3 | 10,11 |") == one.npos);  // every column is as wide as the widest
  CHECK(one.find("| 0,1   | 8,9   | 2,3   | 10,11 |") != one.npos);
  CHECK(one.find("dp, 2 ranks: different parts of each piece of dim 0\n") != one.npos);
  CHECK(one.find("cp, 2 ranks: the same value, used for different work\n") != one.npos);

  const std::string three = of<Shard<0, dp>, Shard<2, cp>>({4, 3, 6}).text();
  CHECK(three.find("\ndim 0: 0 to 1\n") != three.npos);
  CHECK(three.find("\ndim 0: 2 to 3\n") != three.npos);
  CHECK(three.find("dim 1  0 | 0,2,4,6 | 1,3,5,7 |") != three.npos);
  CHECK(three.find("dim 1  0 | 8,10,12,14 | 9,11,13,15 |") != three.npos);

  const std::string scalar = of<>({}).text();
  CHECK(scalar.find("| 0-15 |") != scalar.npos);
  CHECK(scalar.find("each rank holds 1 of 1 elements") != scalar.npos);
}

TEST_CASE("picture: what there is too much of is left out") {
  const Grid wide{3, {1, 64, 1}};
  const Spec columns = tpx::spec_v<tpx::layout_t<Shard<1, tp>>, Mesh>;
  const std::string text = of({2, 128}, columns, wide).text();
  CHECK(text.find("| 0   | 1   | 2   | 3   | 4   | 5   | .. | 63  |") != text.npos);
  CHECK(text.find("tp, 64 ranks") != text.npos);

  const Spec three = tpx::spec_v<tpx::layout_t<Shard<0, tp>>, Mesh>;
  CHECK(times("dim 0: ", of({64, 2, 2}, three, wide).text()) == 7);
  CHECK(times("<rect", svg(of({64, 2, 2}, three, wide))) == 64);  // a page has room for all of it
  const std::string page = svg(of({2, 128}, columns, wide));
  CHECK(times("<rect", page) == 23);
  CHECK(page.find(">..</text>") != page.npos);
  CHECK(page.find("width=\"0\"") == page.npos);
  // Columns of many ranks: as many as a terminal shows.
  const std::string broad =
      of({8, 64}, tpx::spec_v<tpx::layout_t<Shard<1, tp>>, Mesh>, Grid{3, {8, 64, 4}}).text();
  CHECK(broad.find("2,10,18") == broad.npos);
  std::size_t longest = 0;
  for (std::size_t at = 0, end = 0; (end = broad.find('\n', at)) != broad.npos; at = end + 1)
    longest = std::max(longest, end - at);
  CHECK(longest > 60);
  CHECK(longest <= 120);
}

TEST_CASE("picture: a list of ranks is short") {
  using tpx::detail::print_ranks;
  CHECK(print_ranks({}) == "none");
  CHECK(print_ranks({7}) == "7");
  CHECK(print_ranks({0, 1}) == "0,1");
  CHECK(print_ranks({0, 1, 2, 3}) == "0-3");
  CHECK(print_ranks({0, 8, 16, 24, 32}) == "0,8,..,32");
  CHECK(print_ranks({0, 1, 4, 5}) == "0,1,4,5");
  CHECK(print_ranks({0, 1, 4, 5, 8, 9, 12, 13, 16, 17}) == "0,1,4,5,8,9,12,13,..,17");
}

TEST_CASE("picture: each rank stands where its Distribution says, once") {
  const Shape shape{16, 32};
  domain::for_each_spec(3, 2, [&](Spec spec) {
    const Picture p = of(shape, spec);
    CAPTURE(p.title());
    std::vector<int> seen(16, 0);
    for (int i = 0; i < static_cast<int>(p.pieces(0).size()); ++i) {
      for (int j = 0; j < static_cast<int>(p.pieces(1).size()); ++j) {
        for (const int rank : p.ranks({i, j})) {
          ++seen[static_cast<std::size_t>(rank)];
          const tpx::Distribution held(shape, spec, tpx::detail::standing(grid, rank));
          REQUIRE(held.piece(0) == p.pieces(0)[static_cast<std::size_t>(i)]);
          REQUIRE(held.piece(1) == p.pieces(1)[static_cast<std::size_t>(j)]);
        }
      }
    }
    REQUIRE(seen == std::vector<int>(16, 1));
    REQUIRE(p.idle().empty());
    bool terms = false;
    for (int a = 0; a < 3; ++a) terms = terms || spec[a].kind == tpx::Kind::partial;
    REQUIRE(p.has_terms() == terms);
  });
}

TEST_CASE("picture: a tensor without elements") {
  const Picture p = of<Shard<1, tp>>({3, 0});
  CHECK(p.idle().size() == 16);
  CHECK(p.pieces(1).empty());
  CHECK(p.text().find("nothing is on rank 0-15") != std::string::npos);
  CHECK(times("<rect", svg(p)) == 0);
}

TEST_CASE("picture: on a page") {
  const std::string flat = svg(of<Shard<0, dp>, Shard<1, tp>>({8, 16}));
  CHECK(flat.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(flat.ends_with("</svg>\n"));
  CHECK(times("<rect", flat) == 8);
  CHECK(times("</rect>", flat) == 8);
  CHECK(times("<text", flat) == times("</text>", flat));
  CHECK(flat.find("<title>rank 14,15</title>") != flat.npos);
  CHECK(flat.find("url(#terms)") == flat.npos);

  const std::string terms = svg(of<Shard<0, dp>, Partial<tp>>({4, 8, 16}));
  CHECK(times("fill=\"url(#terms)\"", terms) == 2);
  CHECK(terms.find("dim 0: 2 to 3") != terms.npos);

  // What a name may hold is not what a page may.
  const std::array<std::string_view, 1> odd{"<a&b>"};
  const std::string escaped =
      svg(Picture("f32", {4}, Spec{}.with(0, {tpx::Kind::shard, 0, 0}), Grid{1, {2}}, odd));
  CHECK(escaped.find("f32[4@&lt;a&amp;b&gt;] on &lt;a&amp;b&gt;=2") != escaped.npos);
  CHECK(escaped.find("<a&b>") == escaped.npos);
}

TEST_CASE("picture: what is not drawn says so") {
  CHECK_THROWS_WITH_AS(of<>({1, 2, 3, 4}), "tpx::Picture: a tensor of up to three dims is drawn; f32[1,2,3,4]",
                       tpx::Error);
  CHECK_THROWS_WITH_AS(of({8}, Spec{}, Grid{3, {256, 256, 2}}),
                       "tpx::Picture: a mesh of up to 65536 ranks is drawn; dp=256,tp=256,cp=2", tpx::Error);
  CHECK_THROWS_AS((of<Shard<0, tp>>({6})), tpx::Error);
}
