// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include <tpx/core/element.hpp>
#include <tpx/layout/distribution.hpp>
#include <tpx/layout/layout.hpp>
#include <tpx/layout/plan.hpp>
#include <tpx/layout/print.hpp>

namespace tpx {

namespace detail {

/// "dp,tp"
inline std::string print_axes(unsigned axes, std::span<const std::string_view> names) {
  std::string text;
  for (std::size_t a = 0; a < names.size(); ++a) {
    if (!(axes >> a & 1u)) continue;
    if (!text.empty()) text += ',';
    text += names[a];
  }
  return text;
}

/// What one rank does in a step: the rest of "all-gather over tp: "; ranks 0: their number is not known.
inline std::string explain(const Step& step, int ranks) {
  int axis = 0;
  while (!(step.axes >> axis & 1u)) ++axis;
  const AxisState from = step.from[axis], to = step.to[axis];
  const auto dim = [](AxisState state) { return "dim " + std::to_string(state.dim); };
  const std::string combined = from.reduction == Reduction::sum ? "sum" : name(from.reduction);
  switch (step.move) {
    case Move::relabel:
      return print(from) + " to " + print(to) + ", the same values";
    case Move::zero_elsewhere:
      return "the first rank keeps its value, the others have zeros instead";
    case Move::slice:
      return "each rank keeps its piece of " + dim(to);
    case Move::zero_pad:
      return "each rank puts its piece of " + dim(from) + " into zeros";
    case Move::all_reduce:
      return "each rank receives the " + combined + " of " +
             (ranks > 0 ? std::to_string(ranks) : std::string("the")) + " ranks' terms";
    case Move::all_gather:
      return "each rank receives the others' pieces of " + dim(from);
    case Move::reduce_scatter:
      return "each rank receives the " + combined + " of its piece of " + dim(to);
    case Move::all_to_all:
      return "each rank gives its piece of " + dim(from) + " for one of " + dim(to);
    case Move::permute:
      return (from.partition == to.partition ? "the axes on " + dim(to) + " change their order"
                                             : dim(to) + " is cut elsewhere") +
             ", each rank sends what it no longer holds";
  }
  return {};
}

/// "all-gather"
inline std::string spoken(Move move) {
  std::string text = name(move);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

/// "1. all-gather over tp: each rank receives the others' pieces of dim 1"
inline std::string step_text(int number, const Step& step, int ranks, std::span<const std::string_view> names) {
  return std::to_string(number) + ". " + spoken(step.move) + " over " + print_axes(step.axes, names) + ": " +
         explain(step, ranks);
}

}  // namespace detail

/// Elements that a plan counts, all of its steps together: see elements(step, ...).
constexpr std::int64_t elements(const Plan& plan, const Shape& global, const Grid& grid) {
  std::int64_t n = 0;
  for (int i = 0; i < plan.count; ++i) n += elements(plan.step[i], global, grid);
  return n;
}

/// A plan in words for tensors of this shape on axes of these sizes, a line a step; nothing where there is
/// nothing to do.
///
///   1. all-gather over tp: each rank receives the others' pieces of dim 1; 4096 elements, 16384 bytes
///      -> f32[8,512]{R:tp}
///
/// The elements are those of the rank at `grid`'s coordinate: they are what comm::CommLog counts.
inline std::string plan_text(const Plan& plan, Element element, const Shape& global, const Grid& grid,
                             std::span<const std::string_view> names) {
  std::string all;
  for (int i = 0; i < plan.count; ++i) {
    const Step& step = plan.step[i];
    const int ranks = grid.ranks(step.axes);
    const std::int64_t n = elements(step, global, grid);
    all += detail::step_text(i + 1, step, ranks, names) + "; ";
    if (n > 0) {
      all += std::to_string(n) + " elements, " + std::to_string(n * element_size(element)) + " bytes";
    } else {
      all +=
          communicates(step.move) && ranks == 1 ? "nothing is sent, the axis has one rank" : "nothing is sent";
    }
    all += "\n   -> " + print(name(element), global, step.to, names) + '\n';
  }
  return all;
}

/// The same without sizes; for the layout after each step the states of the axes.
///
///   1. all-gather over tp: each rank receives the others' pieces of dim 1
///      -> dp: S(0), tp: R
inline std::string plan_text(const Plan& plan, std::span<const std::string_view> names) {
  std::string all;
  for (int i = 0; i < plan.count; ++i) {
    const Step& step = plan.step[i];
    all += detail::step_text(i + 1, step, 0, names) + "\n   -> ";
    for (std::size_t a = 0; a < names.size(); ++a)
      all += (a == 0 ? "" : ", ") + std::string(names[a]) + ": " + print(step.to[static_cast<int>(a)]);
    all += '\n';
  }
  return all;
}

/// A plan on axes that have names and as yet no sizes.
template <class Axes>
struct NamedPlan {
  using axes = Axes;
  Plan steps;

  /// The plan of the gradient: the steps transposed, in reverse.
  constexpr NamedPlan backward() const { return {transposed(steps)}; }

  /// @param sizes  of the axes, in the order of `axes`
  constexpr std::int64_t elements(const Shape& global, const int (&sizes)[Axes::size]) const {
    return tpx::elements(steps, global, grid(sizes));
  }
  template <class T>
  std::string text(const Shape& global, const int (&sizes)[Axes::size]) const {
    return plan_text(steps, element_v<T>, global, grid(sizes), detail::names_of<Axes>);
  }
  friend std::ostream& operator<<(std::ostream& out, const NamedPlan& plan) {
    return out << plan_text(plan.steps, detail::names_of<Axes>);
  }

 private:
  static constexpr Grid grid(const int (&sizes)[Axes::size]) {
    Grid g;
    g.axes = Axes::size;
    for (int a = 0; a < g.axes; ++a) g.size[a] = sizes[a];
    return g;
  }
};

namespace detail {

template <class From, class To>
struct axes_of_both;
template <class... From, class... To>
struct axes_of_both<Layout<From...>, Layout<To...>> {
  using type = axes_of<From..., To...>;
};

}  // namespace detail

/// The plan between two layouts: to be asserted on, printed, and costed for axes of any size, there or not.
///
///   static_assert(plan<layout_t<Shard<1, tp>>, layout_t<Replicate<tp>>>.steps.count == 1);
///   plan<From, To>.elements({8, 512}, {8})                        // 4096: a tp of 8 ranks
///   std::cout << plan<From, To>.text<float>({8, 512}, {8});
///   std::cout << plan<From, To> << plan<From, To>.backward();     // without sizes
///
/// @tparam From, To  canonical layouts: layout_t<...>, or X::layout_type
/// @tparam Axes      in whose order axes go that cost the same, Mesh::axes for what a mesh does; else as the
///                   layouts name them, those of From first
template <class From, class To, class Axes = typename detail::axes_of_both<From, To>::type>
inline constexpr NamedPlan<Axes> plan{plan_v<spec_v<From, Axes>.bits, spec_v<To, Axes>.bits>};

}  // namespace tpx
