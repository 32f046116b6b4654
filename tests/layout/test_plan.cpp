// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <tpx/layout/plan.hpp>
#include <tpx/layout/print.hpp>

#include "simulate.hpp"

namespace {

using tpx::Kind;
using tpx::Move;
using tpx::Plan;
using tpx::Spec;
using tpx::Step;

constexpr std::array<std::string_view, 4> axis_names{"a", "b", "c", "d"};

std::string text(Spec from, Spec to, int axes, int ndim) {
  const std::span<const std::string_view> names(axis_names.data(), static_cast<std::size_t>(axes));
  tpx::Shape shape;
  for (int d = 0; d < ndim; ++d) shape.push_back(1);
  return tpx::print("", shape, from, names) + " -> " + tpx::print("", shape, to, names);
}

/// The table of moves, as a reader of the documentation has it.
constexpr bool is_in_table(Move move, Kind from, Kind to) {
  const bool from_copies = from == Kind::invariant || from == Kind::replicate;
  const bool to_copies = to == Kind::invariant || to == Kind::replicate;
  switch (move) {
    case Move::relabel:
      return from_copies && to_copies;
    case Move::zero_elsewhere:
      return from_copies && to == Kind::partial;
    case Move::slice:
      return from_copies && to == Kind::shard;
    case Move::zero_pad:
      return from == Kind::shard && to == Kind::partial;
    case Move::all_reduce:
      return from == Kind::partial && to_copies;
    case Move::all_gather:
      return from == Kind::shard && to_copies;
    case Move::reduce_scatter:
      return from == Kind::partial && to == Kind::shard;
    case Move::all_to_all:
    case Move::permute:
      return from == Kind::shard && to == Kind::shard;
  }
  return false;
}

constexpr unsigned changed_axes(Spec from, Spec to) {
  unsigned mask = 0;
  for (int a = 0; a < 4; ++a)
    if (!(from[a] == to[a])) mask |= 1u << a;
  return mask;
}

/// Whether the axes are the last of those that split one dim.
constexpr bool split_one_dim_last(Spec spec, unsigned axes) {
  int dim = -1, first = 4, others = 0;
  for (int a = 0; a < 4; ++a) {
    if (!(axes >> a & 1u)) continue;
    if (spec[a].kind != Kind::shard || (dim >= 0 && spec[a].dim != dim)) return false;
    dim = spec[a].dim;
    first = std::min(first, spec[a].order);
  }
  for (int a = 0; a < 4; ++a) others += !(axes >> a & 1u) && spec[a].kind == Kind::shard && spec[a].dim == dim;
  return others == first;
}

/// A step changes its own axes and no others, all by its move (in a permutation some keep their place); over
/// several axes it is a reduction, a gather of one dim or a permutation. `relabels_besides`: others may change
/// from copies to copies, as where a fused all-reduce is transposed.
constexpr bool is_step(const Step& step, bool relabels_besides) {
  const unsigned changed = changed_axes(step.from, step.to);
  for (int a = 0; a < 4; ++a) {
    const bool own = (step.axes >> a & 1u) != 0;
    if (own && !is_in_table(step.move, step.from[a].kind, step.to[a].kind)) return false;
    if (own && !(changed >> a & 1u) && step.move != Move::permute) return false;
    if (!own && (changed >> a & 1u) &&
        !(relabels_besides && is_in_table(Move::relabel, step.from[a].kind, step.to[a].kind)))
      return false;
  }
  const bool several = (step.axes & (step.axes - 1)) != 0;
  return step.axes != 0 &&
         (!several || step.move == Move::all_reduce || step.move == Move::permute ||
          (step.move == Move::reduce_scatter && split_one_dim_last(step.to, step.axes)) ||
          (step.move == Move::all_gather && split_one_dim_last(step.from, step.axes)) ||
          (relabels_besides && step.move == Move::slice && split_one_dim_last(step.to, step.axes)) ||
          (relabels_besides && step.move == Move::relabel));
}

/// @post the steps lead from `from` to `to`, and their transposes from dual(to) to dual(from)
constexpr bool plan_reaches(Spec from, Spec to) {
  const Plan plan = tpx::make_plan(from, to);
  Spec here = from;
  for (int i = 0; i < plan.count; ++i) {
    if (!(plan.step[i].from == here) || !is_step(plan.step[i], false)) return false;
    here = plan.step[i].to;
  }
  if (!(here == to)) return false;
  const Plan back = tpx::transposed(plan);
  if (back.count != plan.count) return false;
  here = tpx::dual(to);
  for (int i = 0; i < back.count; ++i) {
    if (!(back.step[i].from == here) || !is_step(back.step[i], true)) return false;
    here = back.step[i].to;
  }
  return here == tpx::dual(from);
}

constexpr bool all_plans_reach(int axes, int ndim) {
  bool ok = true;
  domain::for_each_spec(axes, ndim, [&](Spec from) {
    domain::for_each_spec(axes, ndim, [&](Spec to) { ok = ok && plan_reaches(from, to); });
  });
  return ok;
}
static_assert(all_plans_reach(1, 2));
static_assert(all_plans_reach(1, 3));

/// Extents that both layouts divide, and as few elements more as can be.
tpx::Shape shape_for(Spec from, Spec to, const tpx::Grid& grid, int ndim, std::int64_t times) {
  tpx::Shape probe, shape;
  for (int d = 0; d < ndim; ++d) probe.push_back(1);
  for (int d = 0; d < ndim; ++d)
    shape.push_back(times * std::lcm(tpx::Distribution(probe, from, grid).divisor(d),
                                     tpx::Distribution(probe, to, grid).divisor(d)));
  return shape;
}

/// Runs the plan on data of all ranks: what they hold before each step and after the last.
std::vector<simulate::Locals> check_values(const Plan& plan, Spec from, const tpx::Grid& grid,
                                           const tpx::Shape& shape, const simulate::Tensor& value,
                                           simulate::Random& random) {
  std::vector<simulate::Locals> values{simulate::scatter(value, from, grid, random)};
  for (int i = 0; i < plan.count; ++i) {
    CAPTURE(std::string(tpx::name(plan.step[i].move)));
    REQUIRE(tpx::Distribution(shape, plan.step[i].to, grid).divides());
    const auto after = simulate::execute(plan.step[i], values.back(), shape, grid);
    REQUIRE(after);
    values.push_back(*after);
    const auto whole = simulate::gather(*after, shape, plan.step[i].to, grid);
    REQUIRE(whole);
    CHECK(simulate::near(*whole, value));
  }
  return values;
}

/// The same, and its transpose on a gradient's.
void check_execution(Spec from, Spec to, const tpx::Grid& grid, const tpx::Shape& shape,
                     simulate::Random& random) {
  const Plan plan = tpx::make_plan(from, to);
  const simulate::Tensor value = simulate::random_tensor(shape, random);
  const std::vector<simulate::Locals> values = check_values(plan, from, grid, shape, value, random);

  // The loss is <gradient, value after the plan>: its gradient with respect to the value before it is the
  // same tensor, in the dual of the layout there.
  const Plan back = tpx::transposed(plan);
  const simulate::Tensor gradient = simulate::random_tensor(shape, random);
  double loss = 0;
  for (std::size_t i = 0; i < value.data.size(); ++i) loss += value.data[i] * gradient.data[i];
  simulate::Locals gradients = simulate::scatter(gradient, tpx::dual(to), grid, random);
  CHECK(simulate::pairing(values.back(), gradients, to, grid) == doctest::Approx(loss).epsilon(1e-9));
  for (int i = 0; i < back.count; ++i) {
    CAPTURE(std::string(tpx::name(back.step[i].move)));
    const auto after = simulate::execute(back.step[i], gradients, shape, grid);
    REQUIRE(after);
    gradients = *after;
    const auto whole = simulate::gather(gradients, shape, back.step[i].to, grid);
    REQUIRE(whole);
    CHECK(simulate::near(*whole, gradient));
    // <A x, g> = <x, A^T g> for each step A by itself.
    const std::size_t before = static_cast<std::size_t>(back.count - 1 - i);
    CHECK(simulate::pairing(values[before], gradients, tpx::dual(back.step[i].to), grid) ==
          doctest::Approx(loss).epsilon(1e-9));
  }
}

/// Elements sent, by the lower bounds that rings reach, on a mesh whose axes all have size 8.
std::int64_t sent(const Step& step) {
  const auto held = [](Spec spec) {
    std::int64_t n = std::int64_t{1} << 30;
    for (int a = 0; a < 4; ++a) n /= spec[a].kind == Kind::shard ? 8 : 1;
    return n;
  };
  std::int64_t p = 1;
  for (int a = 0; a < 4; ++a) p *= (step.axes >> a & 1u) ? 8 : 1;
  switch (step.move) {
    case Move::all_reduce:
      return 2 * (held(step.from) - held(step.from) / p);
    case Move::all_gather:
      return held(step.to) - held(step.to) / p;
    case Move::reduce_scatter:
    case Move::all_to_all:
      return held(step.from) - held(step.from) / p;
    case Move::permute:
      return held(step.from);
    default:
      return 0;
  }
}

/// Cost of a plan forward and backward, and its number of steps.
using Cost = std::pair<std::int64_t, int>;

Cost cost_of(const Plan& plan) {
  const Plan back = tpx::transposed(plan);
  Cost cost{0, plan.count};
  for (int i = 0; i < plan.count; ++i) cost.first += sent(plan.step[i]) + sent(back.step[i]);
  return cost;
}

/// The cheapest way between two layouts, by relaxing all moves between all states until nothing changes.
/// States: each axis that changes, or stands behind one that changes on its dim, is anywhere; the axes on a dim
/// are some of those of one end.
Cost cheapest(Spec from, Spec to, int axes, int ndim) {
  unsigned mask = changed_axes(from, to);
  for (bool grows = true; grows;) {
    grows = false;
    for (int a = 0; a < axes; ++a)
      for (int b = 0; b < axes; ++b)
        for (const Spec end : {from, to})
          if (!(mask >> a & 1u) && (mask >> b & 1u) && end[a].kind == Kind::shard &&
              end[b].kind == Kind::shard && end[a].dim == end[b].dim && end[a].order > end[b].order) {
            mask |= 1u << a;
            grows = true;
          }
  }
  std::vector<Spec> states;
  domain::for_each_spec(axes, ndim, [&](Spec spec) {
    for (int a = 0; a < axes; ++a) {
      if (!(mask >> a & 1u) && !(spec[a] == from[a])) return;
    }
    for (int d = 0; d < ndim; ++d) {
      bool within_from = true, within_to = true;
      for (int a = 0; a < axes; ++a) {
        if (spec[a].kind != Kind::shard || spec[a].dim != d) continue;
        within_from = within_from && from[a].kind == Kind::shard && from[a].dim == d;
        within_to = within_to && to[a].kind == Kind::shard && to[a].dim == d;
      }
      if (!within_from && !within_to) return;
    }
    states.push_back(spec);
  });

  std::map<std::uint32_t, Cost> best;
  const Cost never{std::numeric_limits<std::int64_t>::max() / 2, 0};
  for (const Spec s : states) best[s.bits] = never;
  best[from.bits] = {0, 0};
  bool changed = true;
  const auto relax = [&](const Step& step) {
    const auto at = best.find(step.to.bits);
    if (at == best.end()) return;
    Cost cost = best[step.from.bits];
    const Step back = tpx::detail::transposed(step);
    cost.first += sent(step) + sent(back);
    ++cost.second;
    if (cost < at->second) {
      at->second = cost;
      changed = true;
    }
  };
  while (changed) {
    changed = false;
    for (const Spec s : states) {
      if (best[s.bits] == never) continue;
      for (const Spec t : states) {
        const unsigned differs = changed_axes(s, t);
        if (differs == 0) continue;
        // One axis alone, the last of its dim before and after.
        for (int a = 0; a < axes; ++a) {
          if (differs != 1u << a ||
              (s[a].kind == Kind::shard && t[a].kind == Kind::shard && s[a].dim == t[a].dim))
            continue;
          for (const Move move : {Move::relabel, Move::zero_elsewhere, Move::slice, Move::zero_pad,
                                  Move::all_reduce, Move::all_gather, Move::reduce_scatter, Move::all_to_all})
            if (is_in_table(move, s[a].kind, t[a].kind)) relax({move, differs, s, t});
        }
        // Several that reduce together, onto a dim or not; that are gathered; that change their order on a dim.
        bool reduce = true, permute = true, scatter = split_one_dim_last(t, differs),
             gather_same = split_one_dim_last(s, differs), gather = gather_same;
        for (int a = 0; a < axes; ++a) {
          if (!(differs >> a & 1u)) continue;
          reduce = reduce && is_in_table(Move::all_reduce, s[a].kind, t[a].kind);
          scatter = scatter && is_in_table(Move::reduce_scatter, s[a].kind, t[a].kind);
          gather = gather && s[a].kind == Kind::shard && t[a].kind == Kind::replicate;
          gather_same = gather_same && s[a].kind == Kind::shard && t[a].kind == Kind::invariant;
          permute = permute && s[a].kind == Kind::shard && t[a].kind == Kind::shard && s[a].dim == t[a].dim;
        }
        if (reduce) relax({Move::all_reduce, differs, s, t});
        if (scatter) relax({Move::reduce_scatter, differs, s, t});
        if (gather || gather_same) relax({Move::all_gather, differs, s, t});
        if (permute) relax({Move::permute, differs, s, t});
      }
    }
  }
  return best[to.bits];
}

/// Pairs of layouts at random, the same on every machine.
template <class F>
void for_random_pairs(int axes, int ndim, int count, F&& f) {
  std::vector<Spec> all;
  domain::for_each_spec(axes, ndim, [&](Spec s) { all.push_back(s); });
  simulate::Random random(23);
  for (int i = 0; i < count; ++i) {
    const Spec from = all[random() % all.size()];
    f(from, all[random() % all.size()], random);
  }
}

}  // namespace

TEST_CASE("plan: every pair of layouts on one, two and three axes is connected by moves of the table") {
  CHECK(domain::number_of_specs(2, 2) == 27);
  CHECK(all_plans_reach(2, 2));
  CHECK(all_plans_reach(2, 3));
  for_random_pairs(3, 3, 2000, [](Spec from, Spec to, simulate::Random&) { CHECK(plan_reaches(from, to)); });
  for_random_pairs(4, 2, 200, [](Spec from, Spec to, simulate::Random&) { CHECK(plan_reaches(from, to)); });
}

TEST_CASE("plan: nothing to do, no steps") {
  domain::for_each_spec(3, 2, [](Spec s) { CHECK(tpx::make_plan(s, s).count == 0); });
}

TEST_CASE("plan: what both ends divide, every layout on the way divides") {
  // Axis sizes without a common factor: an axis on a dim that neither end has it on shows at once.
  const tpx::Grid grid = domain::grid(2, 3, 5);
  for_random_pairs(3, 2, 3000, [&](Spec from, Spec to, simulate::Random&) {
    CAPTURE(text(from, to, 3, 2));
    const tpx::Shape shape = shape_for(from, to, grid, 2, 1);
    const Plan plan = tpx::make_plan(from, to);
    for (int i = 0; i < plan.count; ++i) CHECK(tpx::Distribution(shape, plan.step[i].to, grid).divides());
  });
}

TEST_CASE("plan: executed on data, value and gradient come out right: all pairs on two axes") {
  simulate::Random random(5);
  for (const tpx::Grid& grid : {domain::grid(2, 2), domain::grid(2, 3)}) {
    domain::for_each_spec(2, 2, [&](Spec from) {
      domain::for_each_spec(2, 2, [&](Spec to) {
        CAPTURE(text(from, to, 2, 2));
        check_execution(from, to, grid, shape_for(from, to, grid, 2, 1), random);
      });
    });
  }
}

TEST_CASE("plan: executed on data: random pairs on three axes") {
  const tpx::Grid grid = domain::grid(2, 3, 2);
  for_random_pairs(3, 2, 300, [&](Spec from, Spec to, simulate::Random& random) {
    CAPTURE(text(from, to, 3, 2));
    check_execution(from, to, grid, shape_for(from, to, grid, 2, 1), random);
  });
}

TEST_CASE("plan: executed on data: sums, maxima and minima, two of them on two axes") {
  const tpx::Grid grid = domain::grid(2, 3);
  constexpr tpx::AxisState states[] = {{},
                                       {Kind::replicate},
                                       {Kind::shard, 0, 0},
                                       {Kind::partial},
                                       {Kind::partial, 0, 0, tpx::Partition::even, tpx::Reduction::max},
                                       {Kind::partial, 0, 0, tpx::Partition::even, tpx::Reduction::min}};
  std::vector<Spec> all;
  for (const tpx::AxisState& dp : states)
    for (tpx::AxisState tp : states) {
      if (dp.kind == Kind::shard && tp.kind == Kind::shard) tp.order = 1;
      const Spec spec = Spec{}.with(0, dp).with(1, tp);
      if (tpx::detail::reduced_one_way(spec)) all.push_back(spec);
    }
  CHECK(all.size() == 30);
  simulate::Random random(5);
  for (const Spec from : all)
    for (const Spec to : all) {
      CAPTURE(text(from, to, 2, 2));
      const tpx::Shape shape{6, 2};
      const Plan plan = tpx::make_plan(from, to);
      const auto values = check_values(plan, from, grid, shape, simulate::random_tensor(shape, random), random);
      CHECK((plan.count > 0) == !(from == to));
      CHECK((plan.count == 0 || plan.step[plan.count - 1].to == to));
    }
}

TEST_CASE("plan: no cheaper way, forward and backward together, and none with fewer steps") {
  domain::for_each_spec(2, 2, [&](Spec from) {
    domain::for_each_spec(2, 2, [&](Spec to) {
      CAPTURE(text(from, to, 2, 2));
      CHECK(cost_of(tpx::make_plan(from, to)) == cheapest(from, to, 2, 2));
    });
  });
  for_random_pairs(3, 2, 300, [](Spec from, Spec to, simulate::Random&) {
    CAPTURE(text(from, to, 3, 2));
    CHECK(cost_of(tpx::make_plan(from, to)) == cheapest(from, to, 3, 2));
  });
}

namespace {

constexpr tpx::AxisState invariant{}, replicate{Kind::replicate, 0, 0}, partial{Kind::partial, 0, 0};
constexpr tpx::AxisState shard(int dim, int order = 0) { return {Kind::shard, dim, order}; }

template <class... States>
constexpr Spec spec(States... states) {
  Spec s{};
  int axis = 0;
  ((s = s.with(axis++, states)), ...);
  return s;
}

/// Whether the plan, and its transpose, are these moves.
template <std::size_t N>
constexpr bool moves_are(Spec from, Spec to, const Move (&forward)[N], const Move (&backward)[N]) {
  const Plan plan = tpx::make_plan(from, to);
  const Plan back = tpx::transposed(plan);
  if (plan.count != static_cast<int>(N)) return false;
  for (int i = 0; i < plan.count; ++i)
    if (plan.step[i].move != forward[i] || back.step[i].move != backward[i]) return false;
  return true;
}

// Every line of the table, on one axis.
static_assert(moves_are(spec(invariant), spec(replicate), {Move::relabel}, {Move::all_reduce}));
static_assert(moves_are(spec(shard(0)), spec(replicate), {Move::all_gather}, {Move::reduce_scatter}));
static_assert(moves_are(spec(shard(0)), spec(invariant), {Move::all_gather}, {Move::slice}));
static_assert(moves_are(spec(replicate), spec(shard(0)), {Move::slice}, {Move::zero_pad}));
static_assert(moves_are(spec(partial), spec(replicate), {Move::all_reduce}, {Move::all_reduce}));
static_assert(moves_are(spec(replicate), spec(invariant), {Move::relabel}, {Move::zero_elsewhere}));
static_assert(moves_are(spec(partial), spec(invariant), {Move::all_reduce}, {Move::relabel}));
static_assert(moves_are(spec(partial), spec(shard(1)), {Move::reduce_scatter}, {Move::all_gather}));
static_assert(moves_are(spec(invariant), spec(shard(0)), {Move::slice}, {Move::all_gather}));
static_assert(moves_are(spec(shard(0)), spec(partial), {Move::zero_pad}, {Move::slice}));
static_assert(moves_are(spec(replicate), spec(partial), {Move::zero_elsewhere}, {Move::zero_elsewhere}));
static_assert(moves_are(spec(invariant), spec(partial), {Move::zero_elsewhere}, {Move::relabel}));
static_assert(moves_are(spec(shard(0)), spec(shard(1)), {Move::all_to_all}, {Move::all_to_all}));

// Axes that reduce together do so in one collective; where one ends I and one R, back only the latter reduces.
static_assert(moves_are(spec(partial, partial), spec(invariant, replicate), {Move::all_reduce},
                        {Move::all_reduce}));
static_assert(tpx::make_plan(spec(partial, partial), spec(invariant, replicate)).step[0].axes == 0b11);
static_assert(
    tpx::transposed(tpx::make_plan(spec(partial, partial), spec(invariant, replicate))).step[0].axes == 0b10);

// Another order is one exchange; so is the major axis made the last before it leaves.
static_assert(moves_are(spec(shard(0, 0), shard(0, 1)), spec(shard(0, 1), shard(0, 0)), {Move::permute},
                        {Move::permute}));
static_assert(moves_are(spec(shard(0, 0), shard(0, 1)), spec(replicate, shard(0, 0)),
                        {Move::permute, Move::all_gather}, {Move::reduce_scatter, Move::permute}));

// Four axes that all change their dim, and their order: among the longest searches, which compilers carry out.
constexpr Plan crossed = tpx::make_plan(spec(shard(0, 0), shard(0, 1), shard(0, 2), shard(0, 3)),
                                        spec(shard(1, 3), shard(1, 2), shard(1, 1), shard(1, 0)));
static_assert(crossed.count > 0);

// An axis that does not change is left alone.
static_assert(moves_are(spec(partial, shard(0)), spec(replicate, shard(0)), {Move::all_reduce},
                        {Move::all_reduce}));

}  // namespace

TEST_CASE("plan: an axis between two that change places takes part where these differ in size") {
  const Spec from = spec(shard(0, 0), shard(0, 1), shard(0, 2)),
             to = spec(shard(0, 2), shard(0, 1), shard(0, 0));
  const Plan plan = tpx::make_plan(from, to);
  REQUIRE(plan.count == 1);
  CHECK(plan.step[0].move == Move::permute);
  CHECK(plan.step[0].axes == 0b111);
  simulate::Random random(3);
  check_execution(from, to, domain::grid(3, 2, 2), {12, 2}, random);
  check_execution(from, to, domain::grid(2, 3, 4), {24, 2}, random);
}

TEST_CASE("plan: elements of a step are those of the larger of a rank's two buffers") {
  const tpx::Shape shape{12, 20};
  simulate::Random random(29);
  for (const tpx::Grid& grid :
       {domain::grid(2, 2), domain::grid(1, 2), domain::grid(2, 1), domain::grid(1, 1)}) {
    domain::for_each_spec(2, 2, [&](Spec from) {
      domain::for_each_spec(2, 2, [&](Spec to) {
        const Plan plan = tpx::make_plan(from, to);
        for (int i = 0; i < plan.count; ++i) {
          const Step& step = plan.step[i];
          CAPTURE(text(step.from, step.to, 2, 2));
          const bool local = step.move == Move::relabel || step.move == Move::zero_elsewhere ||
                             step.move == Move::slice || step.move == Move::zero_pad;
          CHECK(tpx::communicates(step.move) == !local);
          const std::int64_t before = tpx::Distribution(shape, step.from, grid).local().count();
          const std::int64_t after = tpx::Distribution(shape, step.to, grid).local().count();
          const bool alone = grid.ranks(step.axes) == 1;
          CHECK(tpx::elements(step, shape, grid) == (local || alone ? 0 : std::max(before, after)));
        }
      });
    });
  }
  // In numbers: 12 x 20 over 2 x 2.
  const tpx::Grid grid = domain::grid(2, 2);
  const auto elements = [&](Spec from, Spec to) {
    return tpx::elements(tpx::make_plan(from, to).step[0], shape, grid);
  };
  CHECK(elements(spec(partial), spec(invariant)) == 240);
  CHECK(elements(spec(partial, shard(0)), spec(replicate, shard(0))) == 120);
  CHECK(elements(spec(shard(1)), spec(replicate)) == 240);
  CHECK(elements(spec(shard(1), shard(0)), spec(replicate, shard(0))) == 120);
  CHECK(elements(spec(partial, shard(0)), spec(shard(1), shard(0))) == 120);
  CHECK(elements(spec(shard(0)), spec(shard(1))) == 120);
  CHECK(elements(spec(shard(0, 0), shard(0, 1)), spec(shard(0, 1), shard(0, 0))) == 60);
  CHECK(elements(spec(invariant), spec(shard(0))) == 0);
}

TEST_CASE("plan: moves have names") {
  CHECK(std::string(tpx::name(Move::relabel)) == "relabel");
  CHECK(std::string(tpx::name(Move::reduce_scatter)) == "reduce_scatter");
  CHECK(std::string(tpx::name(Move::permute)) == "permute");
}
