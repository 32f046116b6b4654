// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include <tpx/layout/distribution.hpp>
#include <tpx/layout/plan.hpp>

#include "specs.hpp"

/// All ranks of a mesh in one process, holding plain arrays, with the meaning of the four states and of the
/// moves written down from their definitions.
namespace simulate {

using Random = std::mt19937;

/// A dense row-major tensor.
struct Tensor {
  tpx::Shape shape;
  std::vector<double> data;

  explicit Tensor(const tpx::Shape& s) : shape(s), data(static_cast<std::size_t>(s.count()), 0.0) {}
  double& operator[](std::int64_t i) { return data[static_cast<std::size_t>(i)]; }
  double operator[](std::int64_t i) const { return data[static_cast<std::size_t>(i)]; }
  double& operator()(std::int64_t i, std::int64_t j) { return (*this)[i * shape[1] + j]; }
  double operator()(std::int64_t i, std::int64_t j) const { return (*this)[i * shape[1] + j]; }
};

inline Tensor random_tensor(const tpx::Shape& shape, Random& random) {
  Tensor t(shape);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  for (double& v : t.data) v = uniform(random);
  return t;
}

inline bool near(const Tensor& a, const Tensor& b) {
  if (!(a.shape == b.shape)) return false;
  for (std::size_t i = 0; i < a.data.size(); ++i)
    if (a.data[i] != b.data[i] && !(std::fabs(a.data[i] - b.data[i]) <= 1e-9 * (1.0 + std::fabs(b.data[i]))))
      return false;
  return true;
}

/// One tensor on all ranks: what each of them holds.
using Locals = std::vector<Tensor>;

/// For each element of a rank's shard, in order: its place in the whole tensor.
template <class F>
void for_each_element(const tpx::Distribution& d, F&& f) {
  const tpx::Shape local = d.local();
  for (std::int64_t i = 0; i < local.count(); ++i) {
    std::int64_t rest = i, at = 0, stride = 1;
    for (int dim = d.ndim() - 1; dim >= 0; --dim) {
      at += d.to_global(dim, {rest % local[dim]}).value * stride;
      rest /= local[dim];
      stride *= d.global()[dim];
    }
    f(i, at);
  }
}

/// Whether two ranks stand at the same place on the axes in `mask`.
inline bool same_place(const tpx::Grid& a, const tpx::Grid& b, unsigned mask) {
  for (int axis = 0; axis < a.axes; ++axis)
    if ((mask >> axis & 1u) && a.coordinate[axis] != b.coordinate[axis]) return false;
  return true;
}

inline unsigned axes_in(tpx::Spec spec, int axes, tpx::Kind kind) {
  unsigned mask = 0;
  for (int a = 0; a < axes; ++a)
    if (spec[a].kind == kind) mask |= 1u << a;
  return mask;
}

/// What the ranks hold of `whole` in a layout: S: pieces; I, R: the same; P: random terms of any sign and
/// size, another on each rank, that add up to the value; of a maximum or minimum one is the value, the others
/// less or more.
inline Locals scatter(const Tensor& whole, tpx::Spec spec, const tpx::Grid& grid, Random& random) {
  const unsigned partial = axes_in(spec, grid.axes, tpx::Kind::partial);
  double below = 0;
  for (int a = 0; a < grid.axes; ++a)
    if (spec[a].reduction != tpx::Reduction::sum) below = spec[a].reduction == tpx::Reduction::max ? -1 : 1;
  std::vector<std::optional<Tensor>> term(
      static_cast<std::size_t>(domain::ranks(grid)));  // by the first rank that has it
  const auto owner_of_term = [&](int rank) {
    const tpx::Grid here = domain::seen_from(grid, rank);
    int first = 0;
    while (!same_place(domain::seen_from(grid, first), here, partial)) ++first;
    return static_cast<std::size_t>(first);
  };
  Tensor rest = whole;
  std::size_t last = 0;
  for (int rank = 0; rank < domain::ranks(grid); ++rank) {
    const std::size_t owner = owner_of_term(rank);
    if (term[owner]) continue;
    term[owner] = random_tensor(whole.shape, random);
    for (std::size_t i = 0; i < rest.data.size(); ++i) {
      double& t = term[owner]->data[i];
      t *= 1.0 + rank;
      if (below == 0)
        rest.data[i] -= t;
      else
        t = whole.data[i] + below * std::fabs(t);
    }
    last = owner;
  }
  for (std::size_t i = 0; i < rest.data.size(); ++i)
    term[last]->data[i] = below == 0 ? term[last]->data[i] + rest.data[i] : whole.data[i];

  Locals locals;
  for (int rank = 0; rank < domain::ranks(grid); ++rank) {
    const tpx::Distribution d(whole.shape, spec, domain::seen_from(grid, rank));
    Tensor local(d.local());
    const Tensor& mine = *term[owner_of_term(rank)];
    for_each_element(d, [&](std::int64_t i, std::int64_t at) { local[i] = mine[at]; });
    locals.push_back(std::move(local));
  }
  return locals;
}

/// Two terms of one element together.
inline double combined(tpx::Reduction reduction, double a, double b) {
  if (reduction == tpx::Reduction::sum) return a + b;
  return reduction == tpx::Reduction::max ? std::fmax(a, b) : std::fmin(a, b);
}

/// The tensor that the ranks hold, if what they hold is one in this layout: shards of the right extents,
/// and the same on ranks that are to have the same.
inline std::optional<Tensor> gather(const Locals& locals, const tpx::Shape& shape, tpx::Spec spec,
                                    const tpx::Grid& grid) {
  const unsigned same =
      axes_in(spec, grid.axes, tpx::Kind::invariant) | axes_in(spec, grid.axes, tpx::Kind::replicate);
  const unsigned all = (1u << grid.axes) - 1;
  tpx::Reduction reduction = tpx::Reduction::sum;
  for (int a = 0; a < grid.axes; ++a)
    if (spec[a].kind == tpx::Kind::partial) reduction = spec[a].reduction;
  Tensor whole(shape);
  std::vector<bool> met(whole.data.size(), false);
  for (int rank = 0; rank < domain::ranks(grid); ++rank) {
    const tpx::Grid here = domain::seen_from(grid, rank);
    const tpx::Distribution d(shape, spec, here);
    const Tensor& local = locals[static_cast<std::size_t>(rank)];
    if (!d.divides() || !(local.shape == d.local())) return std::nullopt;
    int first = 0;  // the rank that differs from this one only where they are to have the same
    while (!same_place(domain::seen_from(grid, first), here, all & ~same)) ++first;
    if (first != rank) {
      if (!near(local, locals[static_cast<std::size_t>(first)])) return std::nullopt;
      continue;
    }
    for_each_element(d, [&](std::int64_t i, std::int64_t at) {
      const bool first_term = !met[static_cast<std::size_t>(at)];
      met[static_cast<std::size_t>(at)] = true;
      whole[at] = first_term ? local[i] : combined(reduction, whole[at], local[i]);
    });
  }
  return whole;
}

/// A tensor with gradient, paired over all ranks: equal copies of an Invariant one count once.
inline double pairing(const Locals& value, const Locals& gradient, tpx::Spec spec, const tpx::Grid& grid) {
  double sum = 0;
  for (std::size_t r = 0; r < value.size(); ++r)
    for (std::size_t i = 0; i < value[r].data.size(); ++i) sum += value[r].data[i] * gradient[r].data[i];
  return sum / grid.ranks(axes_in(spec, grid.axes, tpx::Kind::invariant));
}

/// What the ranks hold after a step. Empty where the step asks for an element that no rank it may ask has.
inline std::optional<Locals> execute(const tpx::Step& step, const Locals& before, const tpx::Shape& shape,
                                     const tpx::Grid& grid) {
  const int ranks = domain::ranks(grid);
  const unsigned others = ((1u << grid.axes) - 1) & ~step.axes;
  const bool reduces = step.move == tpx::Move::all_reduce || step.move == tpx::Move::reduce_scatter;
  const bool exchanges = step.move == tpx::Move::all_gather || step.move == tpx::Move::all_to_all ||
                         step.move == tpx::Move::permute;
  tpx::Reduction reduction = tpx::Reduction::sum;
  for (int a = 0; a < grid.axes; ++a)
    if (step.from[a].kind == tpx::Kind::partial) reduction = step.from[a].reduction;
  Locals after;
  for (int rank = 0; rank < ranks; ++rank) {
    const tpx::Grid here = domain::seen_from(grid, rank);
    const tpx::Distribution to(shape, step.to, here);
    Tensor local(to.local());
    std::vector<int> found(local.data.size(), 0);
    int sources = 0;
    for (int peer = 0; peer < ranks; ++peer) {
      const tpx::Grid there = domain::seen_from(grid, peer);
      if (!same_place(here, there, others) || (!reduces && !exchanges && peer != rank)) continue;
      Tensor sent(shape);  // what the peer has, at its place in the whole
      std::vector<bool> has(sent.data.size(), false);
      for_each_element(tpx::Distribution(shape, step.from, there), [&](std::int64_t i, std::int64_t at) {
        sent[at] = before[static_cast<std::size_t>(peer)][i];
        has[static_cast<std::size_t>(at)] = true;
      });
      bool used = false;
      for_each_element(to, [&](std::int64_t i, std::int64_t at) {
        if (!has[static_cast<std::size_t>(at)]) return;
        local[i] =
            found[static_cast<std::size_t>(i)]++ == 0 ? sent[at] : combined(reduction, local[i], sent[at]);
        used = true;
      });
      sources += used;
    }
    for (const int n : found)
      if (n != (reduces ? grid.ranks(step.axes) : 1) && !(n == 0 && step.move == tpx::Move::zero_pad))
        return {};
    if (step.move == tpx::Move::permute && sources != 1) return {};
    if (step.move == tpx::Move::zero_elsewhere && !same_place(here, domain::seen_from(grid, 0), step.axes))
      for (double& v : local.data) v = 0.0;
    after.push_back(std::move(local));
  }
  return after;
}

}  // namespace simulate
