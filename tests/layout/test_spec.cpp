// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <doctest/doctest.h>

#include <tpx/layout/spec.hpp>

#include "specs.hpp"

namespace {

using tpx::AxisState;
using tpx::Kind;
using tpx::Spec;
namespace detail = tpx::detail;

/// What is put on an axis is found there, and the other axes keep theirs.
constexpr bool with_keeps_the_others(int axes, int ndim) {
  bool ok = true;
  domain::for_each_spec(axes, ndim, [&](Spec spec) {
    for (int a = 0; a < axes; ++a) {
      for (const AxisState state :
           {AxisState{}, AxisState{Kind::replicate, 0, 0}, AxisState{Kind::partial, 0, 0},
            AxisState{Kind::shard, 0, 0}, AxisState{Kind::shard, 11, 3}}) {
        const Spec changed = spec.with(a, state);
        for (int b = 0; b < axes; ++b) ok = ok && changed[b] == (a == b ? state : spec[b]);
      }
    }
  });
  return ok;
}

/// dual(dual(s)) is s, and dual swaps R and P alone.
constexpr bool dual_is_an_involution(int axes, int ndim) {
  bool ok = true;
  domain::for_each_spec(axes, ndim, [&](Spec spec) {
    const Spec d = tpx::dual(spec);
    ok = ok && tpx::dual(d) == spec && domain::is_valid(d, axes);
    for (int a = 0; a < axes; ++a) {
      const AxisState s = spec[a], t = d[a];
      if (s.kind == Kind::replicate) ok = ok && t.kind == Kind::partial;
      if (s.kind == Kind::partial) ok = ok && t.kind == Kind::replicate;
      if (s.kind == Kind::invariant || s.kind == Kind::shard) ok = ok && t == s;
    }
  });
  return ok;
}

/// An axis that is placed is where it was put, the last on its dim; the others keep kind, dim and sequence.
constexpr bool placing_keeps_layouts_valid(int axes, int ndim) {
  bool ok = true;
  domain::for_each_spec(axes, ndim, [&](Spec spec) {
    for (int a = 0; a < axes; ++a) {
      const Spec gone = detail::cleared(spec, a);
      ok = ok && domain::is_valid(gone, axes) && gone[a] == AxisState{};
      for (int code = 0; code < 3 + ndim; ++code) {
        const Kind kind = code < 3 ? static_cast<Kind>(code) : Kind::shard;
        const int dim = code < 3 ? 0 : code - 3;
        const Spec next = detail::placed(spec, a, {kind, dim});
        ok = ok && domain::is_valid(next, axes) && next[a].kind == kind && next[a].dim == dim &&
             detail::is_minor(next, a);
        for (int b = 0; b < axes; ++b) {
          if (b == a) continue;
          ok = ok && next[b].kind == spec[b].kind && next[b].dim == spec[b].dim;
          for (int c = 0; c < axes; ++c) {
            if (c == a || spec[b].kind != Kind::shard || spec[c].kind != Kind::shard ||
                spec[b].dim != spec[c].dim)
              continue;
            ok = ok && (next[b].order < next[c].order) == (spec[b].order < spec[c].order);
          }
        }
      }
    }
  });
  return ok;
}

/// shard_axis walks the axes of a dim, shard_count of them, and the last is the minor one.
constexpr bool axes_of_a_dim_are_found(int axes, int ndim) {
  bool ok = true;
  domain::for_each_spec(axes, ndim, [&](Spec spec) {
    int sharded = 0, found = 0;
    for (int a = 0; a < axes; ++a) sharded += spec[a].kind == Kind::shard;
    for (int d = 0; d < ndim; ++d) {
      const int count = detail::shard_count(spec, d);
      found += count;
      for (int order = 0; order < count; ++order) {
        const int a = detail::shard_axis(spec, d, order);
        ok = ok && a >= 0 && spec[a] == AxisState{Kind::shard, d, order} &&
             detail::is_minor(spec, a) == (order == count - 1);
      }
      ok = ok && detail::shard_axis(spec, d, count) == -1;
    }
    ok = ok && sharded == found;
  });
  return ok;
}

constexpr bool laws(int axes, int ndim) {
  return with_keeps_the_others(axes, ndim) && dual_is_an_involution(axes, ndim) &&
         placing_keeps_layouts_valid(axes, ndim) && axes_of_a_dim_are_found(axes, ndim);
}
static_assert(laws(1, 1) && laws(1, 3));
static_assert(laws(2, 1));

static_assert(Spec{} == Spec{}.with(3, {}) && Spec{}[2] == AxisState{});
static_assert(Spec::max_dims == 12 && sizeof(Spec) == 4);
static_assert(tpx::dual(Kind::replicate) == Kind::partial && tpx::dual(Kind::invariant) == Kind::invariant);

}  // namespace

TEST_CASE("spec: laws over all layouts") {
  for (int ndim : {1, 2, 3, 12}) CHECK(laws(1, ndim));
  for (int ndim : {1, 2, 3}) CHECK(laws(2, ndim));
  for (int ndim : {1, 2, 3}) CHECK(laws(3, ndim));
  CHECK(laws(4, 1));
}

TEST_CASE("spec: number of layouts") {
  // 3 states that split nothing, and the dims; two axes on one dim have two orders.
  CHECK(domain::number_of_specs(1, 4) == 7);
  CHECK(domain::number_of_specs(2, 4) == 53);
  CHECK(domain::number_of_specs(3, 4) == 435);
}
