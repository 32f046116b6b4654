// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <tpx/core/element.hpp>
#include <tpx/layout/distribution.hpp>
#include <tpx/layout/layout.hpp>
#include <tpx/layout/plan.hpp>
#include <tpx/layout/print.hpp>
#include <tpx/layout/ragged.hpp>

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

/// "S(0)", and "S(0) 2nd" where several axes split the dim
inline std::string print_in(Spec spec, int axis) {
  constexpr const char* places[] = {" 1st", " 2nd", " 3rd", " 4th"};
  const AxisState state = spec[axis];
  const bool several = state.kind == Kind::shard && shard_count(spec, state.dim) > 1;
  return print(state) + (several ? places[state.order] : "");
}

/// The fewest and the most that any rank counts in a step: they differ where pieces do.
struct Counts {
  std::int64_t least, most;
};
inline Counts counts(const Step& step, const Shape& global, Grid grid) {
  Counts of{std::numeric_limits<std::int64_t>::max(), 0};
  const auto visit = [&](const auto& self, int axis) -> void {
    if (axis == grid.axes) {
      const std::int64_t n = elements(step, global, grid);
      of = {std::min(of.least, n), std::max(of.most, n)};
      return;
    }
    // Of Balanced pieces the first is the largest and the last the smallest.
    const AxisState from = step.from[axis], to = step.to[axis];
    const bool ragged = from.partition == Partition::ragged || to.partition == Partition::ragged;
    const bool differ = ragged || from.partition != Partition::even || to.partition != Partition::even;
    const int last = differ ? grid.size[axis] - 1 : 0;
    for (int c = 0; c <= last; c += ragged || last == 0 ? 1 : last) {
      grid.coordinate[axis] = c;
      self(self, axis + 1);
    }
  };
  visit(visit, 0);
  return of;
}

/// "3 to 9"
inline std::string print_counts(Counts n, std::int64_t times) {
  return (n.least == n.most ? "" : std::to_string(n.least * times) + " to ") + std::to_string(n.most * times);
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
/// The elements are what comm::CommLog counts on a rank; where pieces differ, on the ranks with the fewest and
/// the most.
inline std::string plan_text(const Plan& plan, Element element, const Shape& global, const Grid& grid,
                             std::span<const std::string_view> names) {
  std::string all;
  for (int i = 0; i < plan.count; ++i) {
    const Step& step = plan.step[i];
    const int ranks = grid.ranks(step.axes);
    const detail::Counts n = detail::counts(step, global, grid);
    all += detail::step_text(i + 1, step, ranks, names) + "; ";
    if (n.most > 0) {
      all += detail::print_counts(n, 1) + " elements, " + detail::print_counts(n, element_size(element)) +
             " bytes";
    } else {
      all +=
          communicates(step.move) && ranks == 1 ? "nothing is sent, the axis has one rank" : "nothing is sent";
    }
    all += "\n   -> " + print(name(element), global, step.to, names) + '\n';
  }
  return all;
}

/// The same without sizes; for the layout after each step the states of the axes, with their places where
/// several split one dim.
///
///   1. all-gather over tp: each rank receives the others' pieces of dim 1
///      -> dp: S(0), tp: R
inline std::string plan_text(const Plan& plan, std::span<const std::string_view> names) {
  std::string all;
  for (int i = 0; i < plan.count; ++i) {
    const Step& step = plan.step[i];
    all += detail::step_text(i + 1, step, 0, names) + "\n   -> ";
    for (std::size_t a = 0; a < names.size(); ++a)
      all +=
          (a == 0 ? "" : ", ") + std::string(names[a]) + ": " + detail::print_in(step.to, static_cast<int>(a));
    all += '\n';
  }
  return all;
}

/// A plan on axes that have names and as yet no sizes. These are given in the order of `axes`.
///
/// @throws tpx::Error where a size is less than 1, or one of the two layouts cannot hold the shape
template <class Axes>
struct NamedPlan {
  using axes = Axes;
  using Sizes = std::array<int, Axes::size>;
  Plan steps;
  Spec from, to;

  /// The plan of the gradient: the steps transposed, in reverse.
  /// @throws tpx::Error where one of the layouts is of a maximum or a minimum, which has no gradient
  constexpr NamedPlan backward() const {
    if (!detail::has_gradient(from) || !detail::has_gradient(to))
      throw Error("tpx::plan: a maximum or minimum over ranks has no gradient, and its plan no backward");
    return {transposed(steps), dual(to), dual(from)};
  }

  /// Elements that the rank at the first coordinates counts.
  constexpr std::int64_t elements(const Shape& global, const Sizes& sizes) const {
    return tpx::elements(steps, global, checked(global, sizes));
  }
  /// The same where a dim is Ragged before and after: the shapes have the sizes of the pieces.
  std::int64_t elements(const Shape& before, const Shape& after, const Sizes& sizes) const {
    return tpx::elements(steps, on_the_way(before, after, sizes), grid(sizes));
  }

  template <class T>
  std::string text(const Shape& global, const Sizes& sizes) const {
    return plan_text(steps, element_v<T>, global, checked(global, sizes), detail::names_of<Axes>);
  }
  template <class T>
  std::string text(const Shape& before, const Shape& after, const Sizes& sizes) const {
    return plan_text(steps, element_v<T>, on_the_way(before, after, sizes), grid(sizes),
                     detail::names_of<Axes>);
  }

  friend std::ostream& operator<<(std::ostream& out, const NamedPlan& plan) {
    return out << plan_text(plan.steps, detail::names_of<Axes>);
  }

 private:
  static constexpr Grid grid(const Sizes& sizes) {
    Grid g;
    g.axes = Axes::size;
    for (int a = 0; a < g.axes; ++a) {
      g.size[a] = sizes[static_cast<std::size_t>(a)];
      if (g.size[a] < 1) throw Error("tpx::plan: the size of an axis is at least 1");
    }
    return g;
  }
  constexpr Grid checked(const Shape& global, const Sizes& sizes) const {
    const Grid g = grid(sizes);
    check(global, from, g);
    check(global, to, g);
    return g;
  }
  static constexpr void check(const Shape& global, Spec spec, const Grid& g) {
    if (!std::is_constant_evaluated()) {
      Distribution(global, spec, g).check("", detail::names_of<Axes>);
      return;
    }
    bool fits = Distribution(global, spec, g).divides();
    for (int a = 0; a < g.axes; ++a)
      fits = fits && (spec[a].kind != Kind::shard || spec[a].dim < global.ndim());
    if (!fits)
      throw Error("tpx::plan: its axes split a dim that the shape lacks, or one that they do not divide");
  }
  Shape on_the_way(const Shape& before, const Shape& after, const Sizes& sizes) const {
    const Grid g = grid(sizes);
    check(before, from, g);
    check(after, to, g);
    return detail::shape_on_the_way(before, from, after, to, g);
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
inline constexpr NamedPlan<Axes> plan{plan_v<spec_v<From, Axes>.bits, spec_v<To, Axes>.bits>,
                                      spec_v<From, Axes>, spec_v<To, Axes>};

}  // namespace tpx
