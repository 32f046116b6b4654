// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/layout/distribution.hpp>
#include <tpx/layout/spec.hpp>

/// The domain that the laws of the layout floor are checked over.
namespace domain {

/// Whether the axes that split one dim are in the places 0, 1, 2, ... of it.
constexpr bool is_valid(tpx::Spec spec, int axes) {
  for (int a = 0; a < axes; ++a) {
    const tpx::AxisState s = spec[a];
    if (s.kind != tpx::Kind::shard) continue;
    int before = 0;
    for (int b = 0; b < axes; ++b) {
      const tpx::AxisState t = spec[b];
      if (t.kind != tpx::Kind::shard || t.dim != s.dim || a == b) continue;
      if (t.order == s.order) return false;
      before += t.order < s.order;
    }
    if (before != s.order) return false;
  }
  return true;
}

/// Calls f with every layout of a tensor with `ndim` dims on `axes` axes.
template <class F>
constexpr void for_each_spec(int axes, int ndim, F&& f) {
  const int states = 3 + ndim * axes;
  int all = 1;
  for (int a = 0; a < axes; ++a) all *= states;
  for (int i = 0; i < all; ++i) {
    tpx::Spec spec{};
    int code = i;
    for (int a = 0; a < axes; ++a, code /= states) {
      const int s = code % states;
      spec = spec.with(a, s < 3 ? tpx::AxisState{static_cast<tpx::Kind>(s), 0, 0}
                                : tpx::AxisState{tpx::Kind::shard, (s - 3) / axes, (s - 3) % axes});
    }
    if (is_valid(spec, axes)) f(spec);
  }
}

constexpr int number_of_specs(int axes, int ndim) {
  int n = 0;
  for_each_spec(axes, ndim, [&](tpx::Spec) { ++n; });
  return n;
}

/// A mesh with these axis sizes, seen from its first rank.
template <class... Sizes>
constexpr tpx::Grid grid(Sizes... sizes) {
  tpx::Grid g;
  ((g.size[g.axes++] = sizes), ...);
  return g;
}

constexpr int ranks(const tpx::Grid& g) { return g.ranks((1u << g.axes) - 1); }

/// The mesh seen from another rank; the last axis is the one that neighbours differ in.
constexpr tpx::Grid seen_from(tpx::Grid g, int rank) {
  for (int a = g.axes - 1; a >= 0; --a) {
    g.coordinate[a] = rank % g.size[a];
    rank /= g.size[a];
  }
  return g;
}

}  // namespace domain
