// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every op of the library in every combination of placements. The rule judges; where it refuses, nothing is
// computed. Where it does not, each rank's data are made from the definition of the states (terms of a Partial
// differ in sign and size from rank to rank), the op and its gradient run on every rank by itself, and what the
// ranks hold is read in the layouts that the rule gives: result and gradients must be those of one rank.
//
// Three times over: all dims Even with extents that divide, all Balanced and all Ragged with extents that do
// not, some of the pieces empty. Then at random: each dim of the op cut in a way of its own, and now and then
// one operand in another way than the others that share the dim.
//
// Where there are very many combinations, those are refused together whose first operands the rule refuses
// without the others; of each such set one is drawn and judged by itself. Balanced and Ragged are walked so
// from 10^7 on, Even from 4 10^8: between the two what was refused together was judged one by one as well, and
// as many must be legal all three times.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "validator/case.hpp"
#include "validator/ops.hpp"

namespace {

using namespace validator;

/// All layouts of `ndim` dims on `axes` axes, maxima and minima among the Partial ones.
std::vector<Spec> all_specs(int axes, int ndim) {
  std::vector<Spec> all;
  domain::for_each_spec(axes, ndim, [&](Spec spec) {
    all.push_back(spec);
    if (tpx::detail::no_axis_is(spec, Kind::partial)) return;
    for (const tpx::Reduction reduction : {tpx::Reduction::max, tpx::Reduction::min}) {
      Spec other = spec;
      for (int a = 0; a < axes; ++a)
        if (spec[a].kind == Kind::partial)
          other = other.with(a, {Kind::partial, 0, 0, Partition::even, reduction});
      all.push_back(other);
    }
  });
  return all;
}

struct Tally {
  std::int64_t tried = 0, legal = 0, refused = 0, wrong = 0;
  std::int64_t together = 0;  ///< of those that were refused: for their first operands
  std::int64_t drawn = 0;     ///< of those that were tried: at random ...
  std::int64_t mixed = 0;     ///< ... and refused for nothing but an operand that is cut otherwise

  void operator+=(const Tally& t) {
    tried += t.tried;
    legal += t.legal;
    refused += t.refused;
    wrong += t.wrong;
    together += t.together;
    drawn += t.drawn;
    mixed += t.mixed;
  }
};

using Combination = std::array<Spec, OpRule::max_operands>;

/// One op on one mesh, communicating over some axes by itself.
class Walk {
 public:
  Walk(const Op& op, const Grid& grid, unsigned over)
      : op_(op), grid_(grid), over_(over), operands_(static_cast<std::size_t>(op.rule.operands)) {
    for (int i = 0; i < op.rule.operands; ++i) {
      specs_.push_back(all_specs(grid.axes, op.rule.ndim[i]));
      operands_[static_cast<std::size_t>(i)] = {{}, (op.without_gradient >> i & 1u) == 0};
    }
  }

  /// All combinations, all dims cut the same way.
  Tally run(Partition partition) {
    const Cuts cuts = cut_all(partition);
    const Case data(op_, grid_, cuts);
    prune_ = completions(0) > (partition == Partition::even ? 400'000'000 : 10'000'000);
    tally_ = {};
    cut_ = specs_;
    for (std::size_t i = 0; i < cut_.size(); ++i)
      for (Spec& spec : cut_[i]) spec = cut(op_, static_cast<int>(i), spec, cuts);
    if (partition == Partition::even) legal_.clear();
    next(0, partition == Partition::even, data);
    return tally_;
  }

  /// Combinations drawn at random, each factor cut in a way of its own.
  /// @pre  run(Partition::even) has found what is legal
  Tally draw(int rounds, int times) {
    tally_ = {};
    for (int round = 0; round < rounds; ++round) {
      Cuts cuts;
      for (Partition& partition : cuts) partition = static_cast<Partition>(random_() % 3);
      const Case data(op_, grid_, cuts);
      for (int i = 0; i < times; ++i) {
        const Combination* known = i % 8 == 0 ? &legal_[random_() % legal_.size()] : nullptr;
        for (std::size_t o = 0; o < operands_.size(); ++o)
          operands_[o].spec = known ? (*known)[o] : specs_[o][random_() % specs_[o].size()];
        const bool legal = fits();
        for (std::size_t o = 0; o < operands_.size(); ++o)
          operands_[o].spec = cut(op_, static_cast<int>(o), operands_[o].spec, cuts);
        const bool mixed = i % 3 == 0 && cut_one_otherwise();
        ++tally_.drawn;
        // What one dim may be cut like is the rule's to say; flatten and unflatten have their own mind about
        // it.
        if (!op_.layout) CHECK(fits() == (legal && !mixed));
        if (mixed && legal) {
          CHECK(judge(op_, operands_.data(), grid_.axes, over_).why == tpx::Why::partition_differs);
          ++tally_.mixed;
        }
        try_one(data);
      }
    }
    return tally_;
  }

 private:
  bool fits() const { return judge(op_, operands_.data(), grid_.axes, over_).why == tpx::Why::fits; }

  /// Number of combinations of the operands from this one on.
  std::int64_t completions(std::size_t operand) const {
    std::int64_t n = 1;
    for (; operand < specs_.size(); ++operand) n *= static_cast<std::int64_t>(specs_[operand].size());
    return n;
  }

  void next(std::size_t operand, bool keep, const Case& data) {
    if (operand == cut_.size()) {
      if (try_one(data) && keep) {
        Combination specs{};
        for (std::size_t i = 0; i < operands_.size(); ++i) specs[i] = operands_[i].spec;
        legal_.push_back(specs);
      }
      return;
    }
    for (const Spec spec : cut_[operand]) {
      operands_[operand].spec = spec;
      const std::size_t placed = operand + 1;
      if (prune_ && placed > 1 && placed < cut_.size() && refused_without_others(placed))
        refuse_all(placed);
      else
        next(placed, keep, data);
    }
  }

  bool refused_without_others(std::size_t operands) const {
    OpRule rule = op_.rule;
    rule.operands = static_cast<int>(operands);
    return over_ == 0 && tpx::apply(rule, operands_.data(), grid_.axes).why != tpx::Why::fits;
  }

  /// Whatever the others are.
  void refuse_all(std::size_t operand) {
    tally_.tried += completions(operand);
    tally_.refused += completions(operand);
    tally_.together += completions(operand);
    for (std::size_t i = operand; i < cut_.size(); ++i) operands_[i].spec = cut_[i][random_() % cut_[i].size()];
    if (fits()) {
      ++tally_.wrong;
      const std::string text = op_.name + " is refused without its last operands, and taken with them";
      CAPTURE(text);
      CHECK(tally_.wrong == 0);
    }
  }

  /// Whether the operands as they are now are taken; and right.
  bool try_one(const Case& data) {
    ++tally_.tried;
    const tpx::Verdict verdict = judge(op_, operands_.data(), grid_.axes, over_);
    if (verdict.why != tpx::Why::fits) {
      ++tally_.refused;
      return false;
    }
    ++tally_.legal;
    Combination specs{};
    for (std::size_t i = 0; i < operands_.size(); ++i) specs[i] = operands_[i].spec;
    if (!data.is_right(specs.data(), verdict.result, over_)) {
      ++tally_.wrong;
      const std::string text = data.describe(specs.data());
      CAPTURE(text);
      CHECK(tally_.wrong == 0);
    }
    return true;
  }

  /// Cuts one dim of an operand otherwise than another that is split by the same axis; false where there is
  /// none.
  bool cut_one_otherwise() {
    const int axis = static_cast<int>(random_() % static_cast<unsigned>(grid_.axes));
    std::vector<tpx::Operand*> split;
    for (tpx::Operand& x : operands_)
      if (x.spec.kind(axis) == Kind::shard) split.push_back(&x);
    if (split.size() < 2) return false;
    Spec& spec = split[random_() % split.size()]->spec;
    const tpx::AxisState one = spec[axis];
    const auto other = static_cast<Partition>((static_cast<unsigned>(one.partition) + 1 + random_() % 2) % 3);
    for (int a = 0; a < grid_.axes; ++a) {
      tpx::AxisState s = spec[a];
      if (s.kind != Kind::shard || s.dim != one.dim) continue;
      s.partition = other;
      spec = spec.with(a, s);
    }
    return true;
  }

  const Op& op_;
  Grid grid_;
  unsigned over_;
  Random random_{7};
  std::vector<std::vector<Spec>> specs_, cut_;
  std::vector<tpx::Operand> operands_;
  std::vector<Combination> legal_;
  bool prune_ = false;
  Tally tally_;
};

std::string name_of(const Grid& grid) {
  std::string text;
  for (int a = 0; a < grid.axes; ++a) text += (a > 0 ? "x" : "") + std::to_string(grid.size[a]);
  return text;
}

void print(const std::string& op, const std::string& mesh, const Tally& t, const std::string& more) {
  const auto number = [](std::int64_t n) { return static_cast<long long>(n); };
  std::printf("%-29s %-6s %15lld %8lld %15lld %15lld %8lld %6lld   %s\n", op.c_str(), mesh.c_str(),
              number(t.tried), number(t.legal), number(t.refused), number(t.together), number(t.drawn),
              number(t.mixed), more.c_str());
  std::fflush(stdout);
}

}  // namespace

TEST_CASE("validator: every op in every combination of placements is refused or right") {
  const std::vector<Grid> meshes{domain::grid(1), domain::grid(2),    domain::grid(3),
                                 domain::grid(4), domain::grid(2, 2), domain::grid(2, 2, 2)};
  const std::vector<Op> ops = all_ops();
  Tally all;
  std::printf("%-29s %-6s %15s %8s %15s %15s %8s %6s\n", "op", "mesh", "tried", "legal", "refused",
              "(together)", "drawn", "mixed");
  for (const Op& op : ops) {
    for (const Grid& grid : meshes) {
      Tally sum;
      const auto start = std::chrono::steady_clock::now();
      for (unsigned over = 0; over < (op.over ? 1u << grid.axes : 1u); ++over) {
        Walk walk(op, grid, over);
        const Tally even = walk.run(Partition::even);
        CHECK(even.legal > 0);
        sum += even;
        for (const Partition partition : {Partition::balanced, Partition::ragged}) {
          const Tally uneven = walk.run(partition);
          CHECK(uneven.tried == even.tried);
          if (!op.layout) CHECK(uneven.legal == even.legal);
          sum += uneven;
        }
        sum += walk.draw(3, 400);
      }
      CHECK(sum.tried == sum.legal + sum.refused);
      CHECK(sum.wrong == 0);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      print(op.name, name_of(grid), sum, std::to_string(took.count()).substr(0, 5) + " s");
      all += sum;
    }
  }
  CHECK(all.drawn >= 100'000);
  CHECK(all.mixed >= 1'000);
  print("all", "", all, "");
}
