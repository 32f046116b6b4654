// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <tpx/layout/layout.hpp>
#include <tpx/layout/rule.hpp>
#include <tpx/layout/shape.hpp>

/// How a refused program reads: one static_assert, whose text is the rule, in a function template whose
/// arguments are the facts. The condition is a bool template argument, because compilers then print our
/// sentence first and nothing before it; the op returns `refused`, so that no second error follows.
namespace tpx {

template <class T, int N, class L, class Mesh, class Track>
class DTensor;

/// What an op returns where the rule refused it; every op takes it and returns it again. It answers what a
/// tensor is commonly asked, so that no second error hides the first.
struct refused {
  std::string describe() const { return "refused"; }
  Shape shape() const { return {}; }
  Shape local_shape() const { return {}; }
  std::int64_t extent(int) const { return 0; }
  std::int64_t local_count() const { return 0; }
  refused local() const { return {}; }
  double* data() const { return nullptr; }
  template <class... Index>
  double& operator()(Index...) const {
    return *data();
  }
  double norm() const { return 0; }
  std::nullptr_t factor() const { return nullptr; }
  bool ready() const { return true; }
  refused wait() const { return {}; }
  refused mesh() const { return {}; }
  refused distribution() const { return {}; }
  refused shard() const { return {}; }
  template <class T, int N, class L, class Mesh, class Track>
  operator DTensor<T, N, L, Mesh, Track>() const;
  template <class Out>
  friend Out& operator<<(Out& out, refused) {
    return out;
  }
};

namespace detail {

// ---- facts ------------------------------------------------------------------------------------
template <class Op>
struct op;
template <int Number, class L>
struct operand;
template <class Axis>
struct on;
/// Call redistribute<Placement>(operand) first.
template <int Operand, class Placement>
struct fix;

// ---- rules, one sentence each -----------------------------------------------------------------
template <bool fits, class... Facts>
constexpr void rule_invariant() {
  static_assert(fits,
                "tpx: Invariant mixes with Invariant only: an operand that is used for different work on the "
                "ranks must be Replicate, so that its gradient is summed (see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_one_factor() {
  static_assert(fits,
                "tpx: operands that are sharded on one axis are so over one and the same dim of the op "
                "(see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_all_or_none() {
  static_assert(
      fits, "tpx: every operand that has the sharded dim must be sharded over it (see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_order() {
  static_assert(fits,
                "tpx: operands split a dim by the same axes in the same order (see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_partition() {
  static_assert(fits,
                "tpx: operands cut a dim the same way: Even, Balanced and Ragged pieces do not meet "
                "(see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_partial_maximum() {
  static_assert(
      fits,
      "tpx: what is Partial by Max or Min goes into no op before it has been redistributed: the largest "
      "term may be another rank's (see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_whole() {
  static_assert(fits,
                "tpx: the op needs this dim whole on every rank: redistribute the operand first, or name the "
                "axis in over<...> where the op takes one (see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_over() {
  static_assert(fits,
                "tpx: over<axis> names an axis that splits the dim which the op reduces "
                "(see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void over_comes_first() {
  static_assert(
      fits, "tpx: over<axes...> stands in front of the dims: softmax<over<tp>, 1>(x), norm<over<tp>, 1>(x)");
}
template <bool fits, class... Facts>
constexpr void rule_partial_values() {
  static_assert(
      fits,
      "tpx: token ids and masks are values, not terms of a sum: redistribute the operand to Invariant "
      "first (see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_partial_linear() {
  static_assert(
      fits,
      "tpx: a nonlinear op does not take a Partial operand: f(a + b) is not f(a) + f(b), so the terms "
      "must be summed first (see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_partial_product() {
  static_assert(fits,
                "tpx: a product takes one Partial operand at most: (a + b)(c + d) is not ac + bd "
                "(see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_partial_sharded() {
  static_assert(fits,
                "tpx: beside a Partial operand of a product the others must be Replicate on that axis "
                "(see op, operand, on, fix)");
}
template <bool fits, class... Facts>
constexpr void rule_partial_sum() {
  static_assert(fits,
                "tpx: a sum takes Partial in all of its operands or in none: a term that is not Partial would "
                "be counted once per rank (see op, operand, on, fix)");
}

template <bool fits, class... Facts>
constexpr void over_names_axes_of_the_mesh() {
  static_assert(fits, "tpx: over<...> names only axes that the mesh has (see over, mesh)");
}
/// Whether List has the axes of `over<...>`; where not, the error that says so.
template <class Over, class List>
constexpr bool check_over() {
  over_names_axes_of_the_mesh<names_axes_of<Over, List>, Over, mesh<List>>();
  return names_axes_of<Over, List>;
}

template <Why why, class... Facts>
constexpr void refuse() {
  if constexpr (why == Why::invariant_mixed) rule_invariant<false, Facts...>();
  if constexpr (why == Why::sharded_differently) rule_one_factor<false, Facts...>();
  if constexpr (why == Why::factor_not_sharded) rule_all_or_none<false, Facts...>();
  if constexpr (why == Why::order_differs) rule_order<false, Facts...>();
  if constexpr (why == Why::partition_differs) rule_partition<false, Facts...>();
  if constexpr (why == Why::partial_not_a_sum) rule_partial_maximum<false, Facts...>();
  if constexpr (why == Why::whole_factor_sharded) rule_whole<false, Facts...>();
  if constexpr (why == Why::over_axis_not_sharded) rule_over<false, Facts...>();
  if constexpr (why == Why::partial_values) rule_partial_values<false, Facts...>();
  if constexpr (why == Why::partial_in_nonlinear) rule_partial_linear<false, Facts...>();
  if constexpr (why == Why::partial_times_partial) rule_partial_product<false, Facts...>();
  if constexpr (why == Why::partial_times_sharded) rule_partial_sharded<false, Facts...>();
  if constexpr (why == Why::partial_plus_other) rule_partial_sum<false, Facts...>();
}

/// The rule's answer for one op and the layouts of its operands, found once per distinct combination.
/// NoGradient: a bit for each operand that carries none.
template <class Op, unsigned Over, unsigned NoGradient, std::uint32_t... Bits>
inline constexpr Verdict verdict_v = [] {
  Operand operands[] = {{Spec{Bits}, true}...};
  for (int i = 0; i < static_cast<int>(sizeof...(Bits)); ++i)
    operands[i].carries_gradient = !(NoGradient >> i & 1u);
  return apply(Op::rule, operands, max_axes, Over);
}();

template <class Op, class List, Why why, int Axis, class Fix, class Seq, class... Layouts>
struct refusal;
template <class Op, class List, Why why, int Axis, class Fix, std::size_t... I, class... Layouts>
struct refusal<Op, List, why, Axis, Fix, std::index_sequence<I...>, Layouts...> {
  static constexpr void say() {
    refuse<why, op<Op>, operand<static_cast<int>(I), Layouts>..., on<axis_at_t<Axis, List>>, Fix>();
  }
};

/// Whether Op takes operands with these layouts on a mesh with these axes; where it does not, the one error
/// that the user reads. `Op::rule` is its OpRule; `Op` itself is what the message names.
template <class Op, class List, unsigned Over, unsigned NoGradient, class... Layouts>
constexpr bool admit() {
  constexpr Verdict v = verdict_v<Op, Over, NoGradient, spec_v<Layouts, List>.bits...>;
  if constexpr (v.why != Why::fits) {
    using Fix = fix<v.operand, typename placement_of<v.fix.kind, v.fix.dim, v.fix.partition, v.fix.reduction,
                                                     axis_at_t<v.axis, List>>::type>;
    refusal<Op, List, v.why, v.axis, Fix, std::make_index_sequence<sizeof...(Layouts)>, Layouts...>::say();
  }
  return v.why == Why::fits;
}

/// Layout of the result.  @pre admit<...>()
template <class Op, class List, unsigned Over, unsigned NoGradient, class... Layouts>
using result_layout =
    layout_from_spec<List, verdict_v<Op, Over, NoGradient, spec_v<Layouts, List>.bits...>.result.bits>;

}  // namespace detail
}  // namespace tpx
