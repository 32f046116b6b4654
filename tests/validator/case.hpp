// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "validator/evaluate.hpp"

/// One op on one mesh, its dims cut in one way, on the data of every rank.
namespace validator {

using simulate::Locals;
using simulate::Random;
using tpx::Distribution;
using tpx::Grid;
using tpx::Kind;
using tpx::Partition;
using tpx::Spec;

/// Where each factor of an op is cut.
using Cuts = std::array<Partition, 64>;

inline Cuts cut_all(Partition partition) {
  Cuts cuts;
  cuts.fill(partition);
  return cuts;
}

/// The layout of an operand whose dims are cut so.
inline Spec cut(const Op& op, int operand, Spec spec, const Cuts& cuts) {
  for (int a = 0; a < tpx::detail::max_axes; ++a) {
    tpx::AxisState s = spec[a];
    if (s.kind != Kind::shard) continue;
    s.partition = cuts[static_cast<std::size_t>(op.rule.factor[operand][s.dim])];
    spec = spec.with(a, s);
  }
  return spec;
}

/// Extents of the factors, and where a Ragged one is cut. What is needed whole is small where it stays so.
struct Extents {
  std::int64_t of[64]{};
  std::vector<std::int64_t> pieces[64];

  Extents(const Op& op, const Grid& grid, const Cuts& cuts, Random& random) {
    const int ranks = domain::ranks(grid);
    const std::int64_t uneven[] = {5, 7, 3, 6, 4};
    std::size_t number = 0;
    for (int i = 0; i < op.rule.operands; ++i) {
      for (int d = 0; d < op.rule.ndim[i]; ++d) {
        const auto f = static_cast<std::size_t>(op.rule.factor[i][d]);
        if (of[f] != 0) continue;
        const bool whole = (op.rule.whole >> f & 1ull) != 0;
        ++number;
        if (whole && !op.over)
          of[f] = 3;
        else if (cuts[f] == Partition::even)
          of[f] = ranks < 8 && number % 2 == 0 ? 2 * ranks : ranks;
        else
          of[f] = uneven[number % 5];
        const std::int64_t multiple = f < op.multiples.size() ? op.multiples[f] : 1;
        pieces[f].resize(static_cast<std::size_t>(ranks));
        for (std::int64_t e = 0; e < of[f]; ++e) pieces[f][random() % pieces[f].size()] += multiple;
        of[f] *= multiple;
      }
    }
  }

  Shape shape(const signed char* factor, int ndim, const Cuts& cuts) const {
    Shape s;
    for (int d = 0; d < ndim; ++d) s.push_back(of[static_cast<int>(factor[d])]);
    for (int d = 0; d < ndim; ++d)
      if (cuts[static_cast<std::size_t>(factor[d])] == Partition::ragged)
        s = s.with_pieces(d, pieces[static_cast<int>(factor[d])]);
    return s;
  }
};

/// The layout when the axes in `mask` split nothing any more.
inline Spec joined(Spec spec, unsigned mask) {
  for (int a = 0; a < tpx::detail::max_axes; ++a)
    if ((mask >> a & 1u) && spec[a].kind == Kind::shard) spec = tpx::detail::cleared(spec, a);
  return spec;
}

/// What the ranks along `over` hold together, on each rank.
inline Locals join(const Locals& pieces, const Shape& shape, Spec spec, unsigned over, const Grid& grid) {
  const Spec together = joined(spec, over);
  if (together == spec) return pieces;
  const unsigned others = ((1u << grid.axes) - 1) & ~over;
  Locals all;
  for (int rank = 0; rank < domain::ranks(grid); ++rank) {
    const Grid here = domain::seen_from(grid, rank);
    Tensor whole(shape);
    for (int peer = 0; peer < domain::ranks(grid); ++peer) {
      const Grid there = domain::seen_from(grid, peer);
      if (!simulate::same_place(here, there, others)) continue;
      simulate::for_each_element(Distribution(shape, spec, there), [&](std::int64_t i, std::int64_t at) {
        whole[at] = pieces[static_cast<std::size_t>(peer)][i];
      });
    }
    const Distribution d(shape, together, here);
    Tensor local(d.local());
    simulate::for_each_element(d, [&](std::int64_t i, std::int64_t at) { local[i] = whole[at]; });
    all.push_back(std::move(local));
  }
  return all;
}

/// A rank's own part of what it held together with others.
inline Tensor part(const Tensor& together, const Shape& shape, Spec spec, unsigned over, const Grid& here) {
  if (joined(spec, over) == spec) return together;
  Tensor whole(shape);
  simulate::for_each_element(Distribution(shape, joined(spec, over), here),
                             [&](std::int64_t i, std::int64_t at) { whole[at] = together[i]; });
  const Distribution d(shape, spec, here);
  Tensor local(d.local());
  simulate::for_each_element(d, [&](std::int64_t i, std::int64_t at) { local[i] = whole[at]; });
  return local;
}

/// One op on one mesh with one way of cutting its dims.
class Case {
 public:
  Case(const Op& op, const Grid& grid, const Cuts& cuts)
      : op_(op), grid_(grid), random_(3), extents_(op, grid, cuts, random_) {
    for (int i = 0; i < op.rule.operands; ++i)
      shapes_.push_back(extents_.shape(op.rule.factor[i], op.rule.ndim[i], cuts));
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      whole_.push_back(simulate::random_tensor(shapes_[i], random_));
      for (double& v : whole_[i].data)
        if (op.value) v = op.value(i, v, shapes_);
    }
    result_ = result_shape(op, shapes_);
    for (int d = 0; d < op.rule.result_ndim; ++d) {
      const auto factor = static_cast<std::size_t>(op.rule.result[d]);
      const std::vector<std::int64_t>& pieces = extents_.pieces[factor];
      if (cuts[factor] == Partition::ragged &&
          std::accumulate(pieces.begin(), pieces.end(), std::int64_t{0}) == result_[d] && !pieces.empty())
        result_ = result_.with_pieces(d, pieces);
    }
    gradient_ = simulate::random_tensor(result_, random_);
    expected_ = evaluate(op, whole_, gradient_);
  }

  /// Whether result and gradients come out as on one rank.
  bool is_right(const Spec* specs, Spec result, unsigned over) const {
    std::vector<Locals> operands;
    for (std::size_t i = 0; i < whole_.size(); ++i)
      operands.push_back(
          join(simulate::scatter(whole_[i], specs[i], grid_, random_), shapes_[i], specs[i], over, grid_));
    const bool differentiable = tpx::detail::has_gradient(result);
    Locals gradients;
    if (differentiable)
      gradients = join(simulate::scatter(gradient_, tpx::dual(result), grid_, random_), result_,
                       tpx::dual(result), over, grid_);
    Locals values;
    std::vector<Locals> back(whole_.size());
    for (int rank = 0; rank < domain::ranks(grid_); ++rank) {
      const Grid here = domain::seen_from(grid_, rank);
      const auto r = static_cast<std::size_t>(rank);
      std::vector<Tensor> mine;
      std::vector<Index> first(whole_.size());
      for (std::size_t i = 0; i < whole_.size(); ++i) {
        mine.push_back(operands[i][r]);
        const Distribution d(shapes_[i], joined(specs[i], over), here);
        for (int dim = 0; dim < d.ndim(); ++dim) first[i][static_cast<std::size_t>(dim)] = d.piece(dim).offset;
      }
      bool fits = true;
      const Answer answer = evaluate(op_, mine, first, shapes_, [&](const Shape& local) {
        fits = !differentiable || local == gradients[r].shape;
        return differentiable && fits ? gradients[r] : Tensor(local);
      });
      if (!fits) return false;
      values.push_back(part(answer.value, result_, result, over, here));
      for (std::size_t i = 0; i < whole_.size(); ++i)
        back[i].push_back(part(answer.gradients[i], shapes_[i], specs[i], over, here));
    }
    const auto value = simulate::gather(values, result_, result, grid_);
    if (!value || !simulate::near(*value, expected_.value)) return false;
    for (std::size_t i = 0; differentiable && i < whole_.size(); ++i) {
      if (op_.without_gradient >> i & 1u) continue;
      const auto dx = simulate::gather(back[i], shapes_[i], tpx::dual(specs[i]), grid_);
      if (!dx || !simulate::near(*dx, expected_.gradients[i])) return false;
    }
    return true;
  }

  std::string describe(const Spec* specs) const {
    static constexpr std::array<std::string_view, 3> names{"a", "b", "c"};
    std::string text = op_.name;
    for (std::size_t i = 0; i < shapes_.size(); ++i)
      text +=
          ' ' + tpx::print("f64", shapes_[i], specs[i], {names.data(), static_cast<std::size_t>(grid_.axes)});
    return text;
  }

 private:
  const Op& op_;
  Grid grid_;
  mutable Random random_;
  Extents extents_;
  std::vector<Shape> shapes_;
  std::vector<Tensor> whole_;
  Shape result_;
  Tensor gradient_{Shape{}};
  Answer expected_;
};

}  // namespace validator
