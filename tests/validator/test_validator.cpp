// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every op of the library in every combination of placements. The rule judges; where it refuses, nothing is
// computed. Where it does not, each rank's data are made from the definition of the states (terms of a Partial
// differ in sign and size from rank to rank), the op and its gradient run on every rank by itself, and what the
// ranks hold is read in the layouts that the rule gives: result and gradients must be those of one rank.
//
// Three times over: all dims Even with extents that divide, all Balanced and all Ragged with extents that do not,
// some of the pieces empty. (Where there are more than 10^8 combinations, Balanced and Ragged go through what Even
// found legal: operands that are all cut one way are refused or not whatever way that is.)

#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "validator/evaluate.hpp"
#include "validator/ops.hpp"

namespace {

using namespace validator;
using simulate::Locals;
using simulate::Random;
using simulate::Tensor;
using tpx::Distribution;
using tpx::Grid;
using tpx::Kind;
using tpx::Partition;
using tpx::Spec;

// ---- the domain -------------------------------------------------------------------------------

/// All layouts of `ndim` dims on `axes` axes, maxima and minima among the Partial ones.
std::vector<Spec> all_specs(int axes, int ndim) {
  std::vector<Spec> all;
  domain::for_each_spec(axes, ndim, [&](Spec spec) {
    all.push_back(spec);
    if (tpx::detail::no_axis_is(spec, Kind::partial)) return;
    for (const tpx::Reduction reduction : {tpx::Reduction::max, tpx::Reduction::min}) {
      Spec other = spec;
      for (int a = 0; a < axes; ++a)
        if (spec[a].kind == Kind::partial) other = other.with(a, {Kind::partial, 0, 0, Partition::even, reduction});
      all.push_back(other);
    }
  });
  return all;
}

Spec cut(Spec spec, Partition partition) {
  for (int a = 0; a < tpx::detail::max_axes; ++a) {
    tpx::AxisState s = spec[a];
    if (s.kind != Kind::shard) continue;
    s.partition = partition;
    spec = spec.with(a, s);
  }
  return spec;
}

/// Extents of the factors, and where a Ragged one is cut. What is needed whole is small where it stays so.
struct Extents {
  std::int64_t of[64]{};
  std::vector<std::int64_t> pieces[64];

  Extents(const Op& op, const Grid& grid, Partition partition, Random& random) {
    const int ranks = domain::ranks(grid);
    const std::int64_t uneven[] = {5, 7, 3, 6, 4};
    int number = 0;
    for (int i = 0; i < op.rule.operands; ++i) {
      for (int d = 0; d < op.rule.ndim[i]; ++d) {
        const int f = op.rule.factor[i][d];
        if (of[f] != 0) continue;
        const bool whole = (op.rule.whole >> f & 1ull) != 0;
        ++number;
        if (whole && !op.over)
          of[f] = 3;
        else if (partition == Partition::even)
          of[f] = ranks < 8 && number % 2 == 0 ? 2 * ranks : ranks;
        else
          of[f] = uneven[number % 5];
        pieces[f].resize(static_cast<std::size_t>(ranks));
        for (std::int64_t e = 0; e < of[f]; ++e) ++pieces[f][random() % pieces[f].size()];
      }
    }
  }

  Shape shape(const signed char* factor, int ndim, Partition partition) const {
    Shape s;
    for (int d = 0; d < ndim; ++d) s.push_back(of[static_cast<int>(factor[d])]);
    for (int d = 0; d < ndim && partition == Partition::ragged; ++d)
      s = s.with_pieces(d, pieces[static_cast<int>(factor[d])]);
    return s;
  }
};

// ---- the op on data ---------------------------------------------------------------------------

/// The layout when the axes in `mask` split nothing any more.
Spec joined(Spec spec, unsigned mask) {
  for (int a = 0; a < tpx::detail::max_axes; ++a)
    if ((mask >> a & 1u) && spec[a].kind == Kind::shard) spec = tpx::detail::cleared(spec, a);
  return spec;
}

/// What the ranks along `over` hold together, on each rank.
Locals join(const Locals& pieces, const Shape& shape, Spec spec, unsigned over, const Grid& grid) {
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
Tensor part(const Tensor& together, const Shape& shape, Spec spec, unsigned over, const Grid& here) {
  if (joined(spec, over) == spec) return together;
  Tensor whole(shape);
  simulate::for_each_element(Distribution(shape, joined(spec, over), here),
                             [&](std::int64_t i, std::int64_t at) { whole[at] = together[i]; });
  const Distribution d(shape, spec, here);
  Tensor local(d.local());
  simulate::for_each_element(d, [&](std::int64_t i, std::int64_t at) { local[i] = whole[at]; });
  return local;
}

/// One op on one mesh with one way of cutting.
class Case {
 public:
  Case(const Op& op, const Grid& grid, Partition partition)
      : op_(op), grid_(grid), random_(3), extents_(op, grid, partition, random_) {
    for (int i = 0; i < op.rule.operands; ++i)
      shapes_.push_back(extents_.shape(op.rule.factor[i], op.rule.ndim[i], partition));
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      whole_.push_back(simulate::random_tensor(shapes_[i], random_));
      for (double& v : whole_[i].data)
        if (op.value) v = op.value(i, v, shapes_);
    }
    result_ = result_shape(op, shapes_);
    for (int d = 0; d < op.rule.result_ndim && partition == Partition::ragged; ++d) {
      const std::vector<std::int64_t>& pieces = extents_.pieces[static_cast<int>(op.rule.result[d])];
      if (std::accumulate(pieces.begin(), pieces.end(), std::int64_t{0}) == result_[d] && !pieces.empty())
        result_ = result_.with_pieces(d, pieces);
    }
    gradient_ = simulate::random_tensor(result_, random_);
    expected_ = evaluate(op, whole_, std::vector<Index>(whole_.size()), [&](const Shape&) { return gradient_; });
  }

  /// Whether result and gradients come out as on one rank.
  bool is_right(const Spec* specs, Spec result, unsigned over) {
    std::vector<Locals> operands;
    for (std::size_t i = 0; i < whole_.size(); ++i)
      operands.push_back(join(simulate::scatter(whole_[i], specs[i], grid_, random_), shapes_[i], specs[i], over, grid_));
    const bool differentiable = tpx::detail::has_gradient(result);
    Locals gradients;
    if (differentiable)
      gradients = join(simulate::scatter(gradient_, tpx::dual(result), grid_, random_), result_, tpx::dual(result),
                       over, grid_);
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
      const Answer answer = evaluate(op_, mine, first, [&](const Shape& local) {
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
      text += ' ' + tpx::print("f64", shapes_[i], specs[i], {names.data(), static_cast<std::size_t>(grid_.axes)});
    return text;
  }

 private:
  const Op& op_;
  Grid grid_;
  Random random_;
  Extents extents_;
  std::vector<Shape> shapes_;
  std::vector<Tensor> whole_;
  Shape result_;
  Tensor gradient_{Shape{}};
  Answer expected_;
};

// ---- all of it --------------------------------------------------------------------------------

struct Tally {
  std::int64_t tried = 0, legal = 0, refused = 0, wrong = 0, mixed = 0;
};

class Walk {
 public:
  Walk(const Op& op, const Grid& grid, Partition partition, unsigned over)
      : op_(op), grid_(grid), partition_(partition), over_(over), data_(op, grid, partition) {
    for (int i = 0; i < op.rule.operands; ++i) {
      specs_.push_back(all_specs(grid.axes, op.rule.ndim[i]));
      for (Spec& spec : specs_.back()) spec = cut(spec, partition);
    }
  }

  using Combination = std::array<Spec, OpRule::max_operands>;

  /// All combinations; the legal ones are added to `legal`.
  Tally run(std::vector<Combination>& legal) {
    legal_ = &legal;
    next(0);
    return tally_;
  }
  /// These combinations, cut this way.
  Tally run_again(const std::vector<Combination>& legal) {
    legal_ = nullptr;
    for (const Combination& specs : legal) {
      for (std::size_t i = 0; i < specs_.size(); ++i)
        operands_[i] = {cut(specs[i], partition_), (op_.without_gradient >> i & 1u) == 0};
      judge();
    }
    return tally_;
  }

  std::int64_t combinations() const {
    std::int64_t n = 1;
    for (const std::vector<Spec>& each : specs_) n *= static_cast<std::int64_t>(each.size());
    return n;
  }

 private:
  void next(std::size_t operand) {
    if (operand < specs_.size()) {
      for (const Spec spec : specs_[operand]) {
        operands_[operand] = {spec, (op_.without_gradient >> operand & 1u) == 0};
        next(operand + 1);
      }
      return;
    }
    judge();
  }

  void judge() {
    ++tally_.tried;
    const tpx::Verdict verdict = tpx::apply(op_.rule, operands_, grid_.axes, over_);
    if (verdict.why != tpx::Why::fits) {
      ++tally_.refused;
      return;
    }
    ++tally_.legal;
    Combination specs{};
    for (std::size_t i = 0; i < specs_.size(); ++i) specs[i] = operands_[i].spec;
    if (legal_ != nullptr) legal_->push_back(specs);
    if (!data_.is_right(specs.data(), verdict.result, over_)) {
      ++tally_.wrong;
      const std::string text = data_.describe(specs.data());
      CAPTURE(text);
      CHECK(tally_.wrong == 0);
    }
    mix();
  }

  /// The same operands, one of them cut otherwise than another that splits the same dim of the op.
  void mix() {
    if (partition_ != Partition::balanced) return;
    int splits = 0, last = 0;
    for (int i = 0; i < op_.rule.operands; ++i) {
      if (operands_[i].spec[0].kind != Kind::shard) continue;
      ++splits;
      last = i;
    }
    if (splits < 2) return;
    tpx::Operand operands[OpRule::max_operands];
    std::copy(std::begin(operands_), std::end(operands_), std::begin(operands));
    operands[last].spec = cut(operands[last].spec, Partition::ragged);
    CHECK(tpx::apply(op_.rule, operands, grid_.axes, over_).why == tpx::Why::partition_differs);
    ++tally_.mixed;
  }

  const Op& op_;
  Grid grid_;
  Partition partition_;
  unsigned over_;
  Case data_;
  std::vector<std::vector<Spec>> specs_;
  tpx::Operand operands_[OpRule::max_operands];
  std::vector<Combination>* legal_ = nullptr;
  Tally tally_;
};

std::string name_of(const Grid& grid) {
  std::string text;
  for (int a = 0; a < grid.axes; ++a) text += (a > 0 ? "x" : "") + std::to_string(grid.size[a]);
  return text;
}

}  // namespace

TEST_CASE("validator: every op in every combination of placements is refused or right") {
  const std::vector<Grid> meshes{domain::grid(1), domain::grid(2),    domain::grid(3),
                                 domain::grid(4), domain::grid(2, 2), domain::grid(2, 2, 2)};
  const std::vector<Op> ops = all_ops();
  Tally all;
  std::printf("%-26s %-6s %12s %10s %12s\n", "op", "mesh", "tried", "legal", "refused");
  for (const Op& op : ops) {
    for (const Grid& grid : meshes) {
      if (grid.axes == 3 && op.rule.operands == 4) continue;  // 10^10 of them; the fourth are lengths, judged as ids are
      Tally sum;
      const auto start = std::chrono::steady_clock::now();
      for (unsigned over = 0; over < (op.over ? 1u << grid.axes : 1u); ++over) {
        std::vector<Walk::Combination> even;
        for (const Partition partition : {Partition::even, Partition::balanced, Partition::ragged}) {
          Walk walk(op, grid, partition, over);
          std::vector<Walk::Combination> legal;
          const bool again = partition != Partition::even && walk.combinations() > 100'000'000;
          const Tally tally = again ? walk.run_again(even) : walk.run(legal);
          if (partition == Partition::even) even = legal;
          CHECK(tally.tried == tally.legal + tally.refused);
          CHECK(tally.legal > 0);
          sum.tried += tally.tried;
          sum.legal += tally.legal;
          sum.refused += tally.refused;
          sum.wrong += tally.wrong;
          sum.mixed += tally.mixed;
        }
      }
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      std::printf("%-26s %-6s %12lld %10lld %12lld   %.1f s\n", op.name.c_str(), name_of(grid).c_str(),
                  static_cast<long long>(sum.tried), static_cast<long long>(sum.legal),
                  static_cast<long long>(sum.refused), took.count());
      std::fflush(stdout);
      CHECK(sum.wrong == 0);
      all.tried += sum.tried;
      all.legal += sum.legal;
      all.refused += sum.refused;
      all.mixed += sum.mixed;
    }
  }
  std::printf("%-26s %-6s %12lld %10lld %12lld, and %lld refused for mixed cuts\n", "all", "", static_cast<long long>(all.tried),
              static_cast<long long>(all.legal), static_cast<long long>(all.refused),
              static_cast<long long>(all.mixed));
}
