// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tpx/layout/distribution.hpp>

#include "specs.hpp"

namespace {

using tpx::Distribution;
using tpx::GlobalIndex;
using tpx::Grid;
using tpx::Kind;
using tpx::LocalIndex;
using tpx::Piece;
using tpx::Shape;
using tpx::Spec;

/// The pieces of each dim are disjoint and cover it: every index is held by exactly the ranks that stand at
/// one place on the axes that split the dim.
constexpr bool covers(const Shape& shape, Spec spec, const Grid& grid) {
  const int all = domain::ranks(grid);
  for (int d = 0; d < shape.ndim(); ++d) {
    const int pieces = Distribution(shape, spec, grid).divisor(d);
    for (std::int64_t i = 0; i < shape[d]; ++i) {
      int holders = 0;
      for (int r = 0; r < all; ++r)
        holders += Distribution(shape, spec, domain::seen_from(grid, r)).holds(d, {i});
      if (holders * pieces != all) return false;
    }
  }
  return true;
}

/// Every global index maps to its owners and a local index, and back; every local index to a global one, and
/// back. All the pieces have the same extent.
constexpr bool round_trip(const Shape& shape, Spec spec, const Grid& grid) {
  const int axes = grid.axes;
  for (int r = 0; r < domain::ranks(grid); ++r) {
    const Grid here = domain::seen_from(grid, r);
    const Distribution dist(shape, spec, here);
    for (int d = 0; d < shape.ndim(); ++d) {
      const std::int64_t extent = dist.piece(d).extent;
      if (extent != dist.local()[d] || extent * dist.divisor(d) != shape[d]) return false;
      for (std::int64_t l = 0; l < extent; ++l) {
        const GlobalIndex g = dist.to_global(d, LocalIndex{l});
        if (!dist.holds(d, g) || !(dist.to_local(d, g) == LocalIndex{l})) return false;
      }
      for (std::int64_t i = 0; i < shape[d]; ++i) {
        bool owned = true;
        for (int a = 0; a < axes; ++a)
          if (spec[a].kind == Kind::shard && spec[a].dim == d)
            owned = owned && dist.owner(d, a, {i}) == here.coordinate[a];
        if (owned != dist.holds(d, {i})) return false;
        if (owned && !(dist.to_global(d, dist.to_local(d, {i})) == GlobalIndex{i})) return false;
      }
    }
  }
  return true;
}

/// Nested: the ranks of the first axis's coordinate c hold together what that axis alone would give to c.
constexpr bool nests(const Shape& shape, Spec spec, const Grid& grid) {
  for (int d = 0; d < shape.ndim(); ++d) {
    if (tpx::detail::shard_count(spec, d) < 2) continue;
    const int major = tpx::detail::shard_axis(spec, d, 0);
    const Spec alone = tpx::detail::placed(Spec{}, major, {Kind::shard, d});
    for (int r = 0; r < domain::ranks(grid); ++r) {
      const Grid here = domain::seen_from(grid, r);
      const Piece fine = Distribution(shape, spec, here).piece(d),
                  coarse = Distribution(shape, alone, here).piece(d);
      if (fine.offset < coarse.offset || fine.offset + fine.extent > coarse.offset + coarse.extent)
        return false;
    }
  }
  return true;
}

constexpr bool laws(const Shape& shape, Spec spec, const Grid& grid) {
  return !Distribution(shape, spec, grid).divides() ||
         (covers(shape, spec, grid) && round_trip(shape, spec, grid) && nests(shape, spec, grid));
}

constexpr bool laws_for_all(const Shape& shape, const Grid& grid) {
  bool ok = true;
  domain::for_each_spec(grid.axes, shape.ndim(), [&](Spec spec) { ok = ok && laws(shape, spec, grid); });
  return ok;
}

static_assert(laws_for_all({12}, domain::grid(1)) && laws_for_all({12}, domain::grid(2)) &&
              laws_for_all({12}, domain::grid(3)) && laws_for_all({12}, domain::grid(4)));
static_assert(laws_for_all({4, 6}, domain::grid(2)));
static_assert(laws_for_all({8}, domain::grid(2, 2)));

/// A shape divides exactly where every split divides what the ones before it left.
constexpr bool divides_step_by_step(const Shape& shape, Spec spec, const Grid& grid) {
  for (int d = 0; d < shape.ndim(); ++d) {
    std::int64_t left = shape[d];
    for (int order = 0; order < tpx::detail::shard_count(spec, d); ++order) {
      const int size = grid.size[tpx::detail::shard_axis(spec, d, order)];
      if (left % size != 0) return false;
      left /= size;
    }
  }
  return true;
}

// 12 over a (2) then b (3): pieces of 2; the last rank of a holds 6..11, of which b = 1 holds 8 and 9.
constexpr Spec nested = Spec{}.with(0, {Kind::shard, 0, 0}).with(1, {Kind::shard, 0, 1});
constexpr Spec swapped = Spec{}.with(0, {Kind::shard, 0, 1}).with(1, {Kind::shard, 0, 0});
constexpr Grid last_of_a = domain::seen_from(domain::grid(2, 3), 4);  // (1, 1)
static_assert(Distribution({12}, nested, last_of_a).piece(0) == Piece{8, 2});
static_assert(Distribution({12}, swapped, last_of_a).piece(0) ==
              Piece{6, 2});  // b first: 4..7, of which a = 1 holds 6, 7
static_assert(Distribution({12}, Spec{}, last_of_a).piece(0) == Piece{0, 12});
static_assert(Distribution({12, 5}, nested, last_of_a).local() == Shape{2, 5});
static_assert(Distribution({12}, nested, last_of_a).owner(0, 1, {11}) == 2);

static_assert(domain::grid(2, 3, 4).ranks(0b101) == 8 && domain::grid(2, 3, 4).ranks(0) == 1);

// The split is nested: 10 over 2 x 2 is 3, 2, 3, 2. With fewer elements than pieces the last ones are empty.
constexpr Spec balanced(Spec spec) {
  for (int a = 0; a < tpx::detail::max_axes; ++a) {
    tpx::AxisState s = spec[a];
    if (s.kind == Kind::shard) spec = spec.with(a, {s.kind, s.dim, s.order, tpx::Partition::balanced});
  }
  return spec;
}
constexpr Piece piece_of(std::int64_t n, const Grid& grid, int rank) {
  return Distribution({n}, balanced(nested), domain::seen_from(grid, rank)).piece(0);
}
static_assert(piece_of(10, domain::grid(2, 2), 0) == Piece{0, 3} &&
              piece_of(10, domain::grid(2, 2), 1) == Piece{3, 2} &&
              piece_of(10, domain::grid(2, 2), 2) == Piece{5, 3} &&
              piece_of(10, domain::grid(2, 2), 3) == Piece{8, 2});
static_assert(piece_of(3, domain::grid(2, 2), 1) == Piece{1, 1} &&
              piece_of(3, domain::grid(2, 2), 3) == Piece{3, 0});

/// Whether the pieces of the ranks, in the order of the axes that split dim 0, lie one after the other and
/// cover it, and each index is found where it lies.
bool pieces_cover(const Shape& shape, Spec spec, const Grid& grid) {
  std::vector<Piece> pieces;
  for (int r = 0; r < domain::ranks(grid); ++r) {
    const Distribution d(shape, spec, domain::seen_from(grid, r));
    const Piece p = d.piece(0);
    if (d.local()[0] != p.extent) return false;
    for (std::int64_t i = p.offset; i < p.offset + p.extent; ++i) {
      if (!d.holds(0, {i}) || d.to_local(0, {i}).value != i - p.offset) return false;
      for (int a = 0; a < grid.axes; ++a)
        if (spec[a].kind == Kind::shard && d.owner(0, a, {i}) != domain::seen_from(grid, r).coordinate[a])
          return false;
    }
    pieces.push_back(p);
  }
  std::sort(pieces.begin(), pieces.end(),
            [](Piece a, Piece b) { return a.offset != b.offset ? a.offset < b.offset : a.extent < b.extent; });
  std::int64_t next = 0;
  for (const Piece& p : pieces) {
    if (p.extent > 0 && p.offset != next) return false;
    next += p.extent;
  }
  return next == shape[0];
}

const std::array<std::string_view, 2> names{"dp", "tp"};

std::string refusal(const Shape& shape, Spec spec, const Grid& grid) {
  try {
    Distribution(shape, spec, grid).check("f32", names);
  } catch (const tpx::Error& e) {
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("distribution: shards cover, and indices come back: all layouts, all meshes") {
  const Grid grids[] = {domain::grid(1),    domain::grid(2),       domain::grid(3),
                        domain::grid(4),    domain::grid(2, 2),    domain::grid(2, 3),
                        domain::grid(1, 4), domain::grid(2, 2, 2), domain::grid(3, 1, 2)};
  for (const Grid& grid : grids) {
    CAPTURE(domain::ranks(grid));
    for (const Shape& shape : {Shape{48}, Shape{7}, Shape{24, 12}, Shape{0, 8}, Shape{4, 6, 12}, Shape{}})
      CHECK(laws_for_all(shape, grid));
    // With these extents every layout divides, so that the laws are not empty.
    domain::for_each_spec(grid.axes, 2, [&](Spec spec) {
      CHECK(Distribution({24, 48}, spec, grid).divides());
      for (std::int64_t n = 1; n <= 13; ++n)
        CHECK(Distribution({n, 24}, spec, grid).divides() == divides_step_by_step({n, 24}, spec, grid));
    });
  }
}

TEST_CASE("distribution: Balanced and Ragged pieces cover a dim of any extent") {
  for (const Grid& grid : {domain::grid(2, 2), domain::grid(2, 3), domain::grid(3, 2)}) {
    for (const Spec spec : {nested, swapped}) {
      for (std::int64_t n = 0; n <= 13; ++n) {
        CHECK(pieces_cover({n}, balanced(spec), grid));
        std::vector<std::int64_t> sizes(static_cast<std::size_t>(domain::ranks(grid)), 0);
        for (std::int64_t e = 0; e < n; ++e) ++sizes[static_cast<std::size_t>(e * e) % sizes.size()];
        Spec ragged = balanced(spec);
        for (int a = 0; a < 2; ++a)
          ragged = ragged.with(a, {Kind::shard, 0, ragged[a].order, tpx::Partition::ragged});
        const Shape shape = Shape{n}.with_pieces(0, sizes);
        CHECK(pieces_cover(shape, ragged, grid));
        // The first axis alone holds the sums.
        const Grid last = domain::seen_from(grid, domain::ranks(grid) - 1);
        const int first = tpx::detail::shard_axis(ragged, 0, 0);
        const Spec coarse = Spec{}.with(first, {Kind::shard, 0, 0, tpx::Partition::ragged});
        std::int64_t sum = 0;
        for (std::size_t i = sizes.size() - sizes.size() / static_cast<std::size_t>(grid.size[first]);
             i < sizes.size(); ++i)
          sum += sizes[i];
        CHECK(Distribution(shape, coarse, last).piece(0).extent == sum);
      }
    }
  }
}

TEST_CASE("distribution: extents beyond 32 bits") {
  const std::int64_t n = std::int64_t{6} << 40;
  const Distribution last({n}, nested, domain::seen_from(domain::grid(2, 3), 5));
  CHECK(last.piece(0) == Piece{n / 6 * 5, n / 6});
  CHECK(last.to_local(0, {n - 1}) == LocalIndex{n / 6 - 1});
  CHECK(last.owner(0, 0, {n - 1}) == 1);
  CHECK(last.owner(0, 1, {n - 1}) == 2);
}

TEST_CASE("distribution: what a layout cannot hold is said in one sentence, the same on every rank") {
  const Spec rows = Spec{}.with(0, {Kind::shard, 0, 0});
  CHECK(refusal({8, 16}, rows, domain::grid(2, 2)).empty());
  CHECK(refusal({0, 16}, rows, domain::grid(2, 2)).empty());
  CHECK(refusal({9, 16}, rows.with(1, {Kind::partial, 0, 0}), domain::grid(2, 2)) ==
        "tpx::Distribution: dim 0 of f32[9@dp,16]{P:tp} is split into 2 pieces, which 9 is not a multiple of");
  CHECK(
      refusal({4, 10}, Spec{}.with(0, {Kind::shard, 1, 0}).with(1, {Kind::shard, 1, 1}), domain::grid(2, 2)) ==
      "tpx::Distribution: dim 1 of f32[4,10@dp@tp] is split into 4 pieces, which 10 is not a multiple of");
  const Spec ragged = Spec{}.with(0, {Kind::shard, 0, 0, tpx::Partition::ragged});
  CHECK(refusal({9, 4}, Spec{}.with(0, {Kind::shard, 0, 0, tpx::Partition::balanced}), domain::grid(2, 2))
            .empty());
  CHECK(refusal(Shape{9, 4}.with_pieces(0, {9, 0}), ragged, domain::grid(2, 2)).empty());
  CHECK(refusal({9, 4}, ragged, domain::grid(2, 2)) ==
        "tpx::Distribution: dim 0 of f32[9@dp:ragged,4] is split Ragged into 2 pieces: the shape says their "
        "sizes, by with_pieces, or in a text as :ragged(3,7)");
  CHECK(refusal(Shape{9, 4}.with_pieces(0, {3, 3, 3}), ragged, domain::grid(2, 2)) ==
        "tpx::Distribution: dim 0 of f32[9@dp:ragged,4] is split Ragged into 2 pieces: 3 sizes were given");
  CHECK(refusal({8, -1}, rows, domain::grid(2, 2)) ==
        "tpx::Distribution: extents are not negative: f32[8@dp,-1]");
  CHECK(refusal({8}, Spec{}.with(1, {Kind::shard, 1, 0}), domain::grid(2, 2)) ==
        "tpx::Distribution: axis tp splits dim 1 of a tensor that has 1 dims");
  for (int r = 0; r < 4; ++r)
    CHECK(refusal({9}, rows, domain::seen_from(domain::grid(2, 2), r)) ==
          refusal({9}, rows, domain::grid(2, 2)));
}
