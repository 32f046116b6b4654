// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/layout/op_rule.hpp>

namespace tpx {

/// Why a combination of layouts is refused; each has its sentence in refusal.hpp.
enum class Why : unsigned char {
  fits,
  invariant_mixed,        ///< an Invariant operand beside one that is not
  sharded_differently,    ///< two operands split different factors on one axis
  factor_not_sharded,     ///< an operand has the split factor and does not split it
  order_differs,          ///< the axes split the factor in another order
  partition_differs,      ///< the operands cut the factor at other places: Even, Balanced, Ragged
  whole_factor_sharded,   ///< the op needs the factor whole
  over_axis_not_sharded,  ///< the function communicates over an axis that does not split the factor
  partial_not_a_sum,      ///< what is Partial by a maximum or minimum takes part in no op
  partial_values,         ///< token ids or a mask: values, not terms of a sum
  partial_in_nonlinear,   ///< f(a + b) is not f(a) + f(b)
  partial_times_partial,  ///< (a + b)(c + d) is not ac + bd
  partial_times_sharded,  ///< one operand Partial, the other split on the same axis
  partial_plus_other,     ///< the other term would be counted once per rank
};

/// One operand as the rule sees it.
struct Operand {
  Spec spec{};
  bool carries_gradient =
      true;  ///< token ids and masks do not: on an axis they count as I and as R, never as P
};

/// The rule's answer: the result's layout, or why there is none, on which axis, and what would help.
struct Verdict {
  Why why = Why::fits;
  int axis = -1;
  int operand = -1;  ///< whose layout is to change ...
  AxisState fix{};   ///< ... to this on that axis
  Spec result{};
};

namespace detail {

/// The rule on one axis.  @post verdict.result has the axis placed, at order 0 where it splits a dim
constexpr Verdict apply_on_axis(const OpRule& rule, const Operand* x, int axis, bool communicates, Verdict v) {
  const auto refuse = [&](Why why, int operand, AxisState fix) {
    v.why = why;
    v.axis = axis;
    v.operand = operand;
    v.fix = fix;
    return v;
  };
  // `over` asks for the first dim that the op reduces to be split by this axis.
  const auto refuse_over = [&] {
    for (int i = 0; i < rule.operands; ++i)
      for (int d = 0; d < rule.ndim[i]; ++d)
        if (rule.whole >> rule.factor[i][d] & 1ull)
          return refuse(Why::over_axis_not_sharded, i, {Kind::shard, d, 0});
    return refuse(Why::over_axis_not_sharded, 0, {Kind::replicate, 0, 0});
  };
  int first_partial = -1, partials = 0, first_shard = -1;
  bool carried = false;
  for (int i = 0; i < rule.operands; ++i) {
    carried = carried || x[i].carries_gradient;
    const Kind kind = x[i].spec.kind(axis);
    if (kind == Kind::partial && ++partials == 1) first_partial = i;
    if (kind == Kind::shard && first_shard < 0) first_shard = i;
  }
  const auto free = [&](int i, Kind kind) {
    return !x[i].carries_gradient && (kind == Kind::invariant || kind == Kind::replicate);
  };

  if (partials > 0) {
    for (int i = 0; i < rule.operands; ++i)
      if (x[i].spec[axis].reduction != Reduction::sum)
        return refuse(Why::partial_not_a_sum, i, {Kind::invariant, 0, 0});
    for (int i = 0; i < rule.operands; ++i)
      if (x[i].spec.kind(axis) == Kind::partial &&
          ((rule.values >> i & 1u) != 0 || (carried && !x[i].carries_gradient)))
        return refuse(Why::partial_values, i, {Kind::invariant, 0, 0});
    if (rule.linearity == Linearity::nonlinear)
      return refuse(Why::partial_in_nonlinear, first_partial, {Kind::invariant, 0, 0});
    if (rule.linearity == Linearity::sum) {
      for (int i = 0; i < rule.operands; ++i)
        if (x[i].spec.kind(axis) != Kind::partial)
          return refuse(Why::partial_plus_other, first_partial, {Kind::invariant, 0, 0});
    } else {
      if (partials > 1) return refuse(Why::partial_times_partial, first_partial, {Kind::replicate, 0, 0});
      for (int i = 0; i < rule.operands; ++i) {
        const Kind kind = x[i].spec.kind(axis);
        if (i == first_partial || kind == Kind::replicate || free(i, kind)) continue;
        if (kind == Kind::shard)
          return refuse(Why::partial_times_sharded, first_partial, {Kind::replicate, 0, 0});
        return refuse(Why::invariant_mixed, i, {Kind::replicate, 0, 0});
      }
    }
    if (communicates) return refuse_over();
    v.result = placed(v.result, axis, {Kind::partial});
    return v;
  }

  if (first_shard >= 0) {
    const AxisState shard = x[first_shard].spec[axis];
    const int f = rule.factor[first_shard][shard.dim];
    const bool whole = (rule.whole >> f & 1ull) != 0;
    if (whole && !communicates) return refuse(Why::whole_factor_sharded, first_shard, {Kind::replicate, 0, 0});
    for (int i = 0; i < rule.operands; ++i) {
      const AxisState s = x[i].spec[axis];
      const int dim = rule.dim_of(i, f);
      if (s.kind == Kind::shard) {
        if (rule.factor[i][s.dim] != f) {
          // The fix: the later operand follows the first where it has the factor, else it is made whole.
          return refuse(
              Why::sharded_differently, i,
              dim >= 0 ? AxisState{Kind::shard, dim, 0, shard.partition} : AxisState{Kind::replicate, 0, 0});
        }
        if (s.partition != shard.partition)
          return refuse(Why::partition_differs, i, {Kind::shard, dim, 0, shard.partition});
      } else if (dim >= 0) {
        return refuse(Why::factor_not_sharded, i, {Kind::shard, dim, 0, shard.partition});
      } else if (s.kind == Kind::invariant && !free(i, s.kind)) {
        return refuse(Why::invariant_mixed, i, {Kind::replicate, 0, 0});
      }
    }
    if (whole) {
      // The function reduces over this axis itself: every rank has the same result, or its part of the dim.
      const int kept = rule.result_dim_of(f);
      if (kept >= 0) v.result = v.result.with(axis, {Kind::shard, kept, shard.order, shard.partition});
      return v;
    }
    if (communicates) return refuse_over();
    const int d = rule.result_dim_of(f);
    if (d < 0 && rule.linearity == Linearity::sum) {
      // The terms of this sum are the ranks' own; an operand that all of them have whole would come p times.
      for (int i = 0; i < rule.operands; ++i)
        if (rule.dim_of(i, f) < 0) return refuse(Why::factor_not_sharded, first_shard, {Kind::replicate, 0, 0});
    }
    v.result = d >= 0 ? v.result.with(axis, {Kind::shard, d, shard.order, shard.partition})
                      : placed(v.result, axis, {Kind::partial, 0, 0, Partition::even, rule.reduction});
    return v;
  }

  if (communicates) return refuse_over();
  bool any_invariant = false, any_replicate = false;
  int first_invariant = -1;
  for (int i = 0; i < rule.operands; ++i) {
    const Kind kind = x[i].spec.kind(axis);
    if (carried && free(i, kind)) continue;
    any_replicate = any_replicate || kind == Kind::replicate;
    if (kind == Kind::invariant && !any_invariant) first_invariant = i;
    any_invariant = any_invariant || kind == Kind::invariant;
  }
  if (any_invariant && any_replicate && carried)
    return refuse(Why::invariant_mixed, first_invariant, {Kind::replicate, 0, 0});
  if (any_replicate) v.result = placed(v.result, axis, {Kind::replicate});
  return v;
}

/// Whether the operands that the axis splits have it at the same place of the factor.
/// @pre they split their factors by the same axes
///
/// Refused is an axis that is to come later: a new Shard splits its dim last, so that proposal helps.
constexpr Verdict compare_orders(const OpRule& rule, const Operand* x, int axis, Verdict v) {
  int first = -1;
  for (int i = 0; i < rule.operands; ++i) {
    const AxisState s = x[i].spec[axis];
    if (s.kind != Kind::shard) continue;
    if (first < 0) first = i;
    const int order = x[first].spec[axis].order;
    if (s.order < order)
      return {Why::order_differs, axis, i, {Kind::shard, s.dim, order, s.partition}, v.result};
  }
  return v;
}

}  // namespace detail

/// The one rule for every op: each mesh axis is judged by itself.
///
/// 1. All operands I: the result is I. All R: R. They do not mix; a value that carries no gradient is either.
/// 2. Operands that are split on the axis are so over one factor; every operand that has the factor is; the
///    others are R. A kept factor: S. A contracted one: P, and then every operand of a sum has it. One that the
///    op needs whole: refused, unless the function communicates over this axis (`over`, a bit set); then kept:
///    S, contracted: the same result on every rank, I.
/// 3. A product takes one P operand beside R ones, a sum takes P in all: P. Everything else refuses P.
constexpr Verdict apply(const OpRule& rule, const Operand* operands, int axes, unsigned over = 0) {
  Verdict v;
  for (int a = 0; a < axes && v.why == Why::fits; ++a)
    v = detail::apply_on_axis(rule, operands, a, (over >> a & 1u) != 0, v);
  for (int a = 0; a < axes && v.why == Why::fits; ++a) v = detail::compare_orders(rule, operands, a, v);
  return v;
}

}  // namespace tpx
