// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>

#include <tpx/layout/nominal_cost.hpp>

namespace tpx {

namespace detail {

/// Best-first search over the states between two layouts, cheapest in elements sent, forward and backward
/// together, then in steps; among equals the one found first.
///
/// Only axes that change are touched, and those that split a dim behind one that changes; each is where it
/// was, where it will be, Replicate, or Partial: pieces in fields of zeros, of which a part is cut out before
/// they are summed. No dim is ever split by axes that split it neither before nor after: what the two layouts
/// divide evenly, every layout on the way does. A Ragged dim is split by the first of the axes that split it
/// before or after, because that is what its sizes tell.
class PlanSearch {
 public:
  constexpr PlanSearch(Spec from, Spec to) : from_(from), to_(to) {
    for (int a = 0; a < max_axes; ++a)
      if (!(from[a] == to[a])) mask_ |= 1u << a;
    // An axis can only leave or join a dim as its last: those behind it have to step aside.
    for (int a = 0; a < max_axes; ++a) {
      for (int b = 0; b < max_axes; ++b) {
        const bool behind_in_from = behind(from, a, b) && (mask_ >> b & 1u);
        const bool behind_in_to = behind(to, a, b) && (mask_ >> b & 1u);
        if (behind_in_from || behind_in_to) mask_ |= 1u << a;
      }
    }
  }

  constexpr Plan run() {
    node_[0] = {from_.bits, -1, 0, Move::relabel, 0, false};
    place_of(from_.bits) = count_ = 1;
    for (;;) {
      int best = -1;
      for (int i = 0; i < count_; ++i)
        if (!node_[i].done && (best < 0 || node_[i].cost < node_[best].cost)) best = i;
      if (best < 0) throw Error("tpx::plan: no path between the layouts");
      if (node_[best].bits == to_.bits) return path(best);
      node_[best].done = true;
      expand(best);
    }
  }

 private:
  struct Node {
    std::uint32_t bits;  // the Spec
    int parent;
    std::int64_t cost;
    Move move;
    unsigned axes;
    bool done;
  };
  static constexpr int max_nodes = 1024, places = 2 * max_nodes;

  static constexpr bool behind(Spec spec, int a, int b) {
    return spec[a].kind == Kind::shard && spec[b].kind == Kind::shard && spec[a].dim == spec[b].dim &&
           spec[a].order > spec[b].order;
  }

  constexpr bool splits_as_one_end(Spec spec) const {
    for (int a = 0; a < max_axes; ++a) {
      const AxisState s = spec[a];
      if (s.kind != Kind::shard || s.order > 0) continue;  // the first axis of each dim stands for the dim
      if (!splits_as(spec, from_, s) && !splits_as(spec, to_, s)) return false;
    }
    return true;
  }
  static constexpr bool splits_as(Spec spec, Spec end, AxisState s) {
    if (s.partition == Partition::ragged)
      return partition_of(end, s.dim) == Partition::ragged &&
             is_prefix(axis_order(spec, s.dim), axis_order(end, s.dim));
    return (axes_on(spec, s.dim) & ~axes_on(end, s.dim)) == 0 && s.partition == partition_of(end, s.dim);
  }
  static constexpr unsigned axes_on(Spec spec, int dim) {
    unsigned set = 0;
    for (int a = 0; a < max_axes; ++a)
      if (spec[a].kind == Kind::shard && spec[a].dim == dim) set |= 1u << a;
    return set;
  }

  constexpr void expand(int at) {
    const Spec here{node_[at].bits};
    for (int a = 0; a < max_axes; ++a) {
      if (!(mask_ >> a & 1u) || !is_minor(here, a)) continue;
      visit(at, a, to_[a]);
      visit(at, a, {Kind::replicate});
      visit(at, a, from_[a]);
      if (here[a].kind != Kind::partial) visit(at, a, {Kind::partial});
    }
    fuse_reductions(at);
    fuse_scatters(at);
    fuse_gathers(at);
    rearrange(at);
  }

  constexpr void visit(int at, int axis, AxisState next) {
    const Spec here{node_[at].bits};
    const AxisState s = here[axis];
    if (s.kind == next.kind && s.reduction == next.reduction && (next.kind != Kind::shard || s.dim == next.dim))
      return;
    // Terms of one reduction are no terms of another: they are reduced in between.
    if (s.kind == Kind::partial && next.kind == Kind::partial) return;
    // Nothing but equal values stands for a maximum without more being done.
    if (next.reduction != Reduction::sum && s.kind != Kind::invariant && s.kind != Kind::replicate) return;
    relax(at, move_between(s, next), 1u << axis, placed(here, axis, next));
  }

  /// Axes that are Partial and reduce together do so in one collective over all of them.
  constexpr void fuse_reductions(int at) {
    const Spec here{node_[at].bits};
    unsigned partial = 0;
    for (int a = 0; a < max_axes; ++a)
      if ((mask_ >> a & 1u) && here[a].kind == Kind::partial) partial |= 1u << a;
    for (unsigned set = partial; set != 0; set = (set - 1) & partial) {
      if ((set & (set - 1)) == 0) continue;  // one axis alone is an ordinary move
      Spec next = here;
      for (int a = 0; a < max_axes; ++a)
        if (set >> a & 1u)
          next = placed(next, a, {to_[a].kind == Kind::invariant ? Kind::invariant : Kind::replicate});
      relax(at, Move::all_reduce, set, next);
    }
  }

  /// Axes that are Partial and will split one dim are reduced and split it in one collective, in the order in
  /// which they will.
  constexpr void fuse_scatters(int at) {
    const Spec here{node_[at].bits};
    for (int a = 0; a < max_axes; ++a) {
      if (to_[a].kind != Kind::shard || to_[a].order != 0) continue;  // stands for a dim that will be split
      const int dim = to_[a].dim;
      unsigned partial = 0;
      for (int b = 0; b < max_axes; ++b) {
        const bool reduces = (mask_ >> b & 1u) && here[b].kind == Kind::partial;
        if (reduces && to_[b].kind == Kind::shard && to_[b].dim == dim) partial |= 1u << b;
      }
      for (unsigned set = partial; set != 0; set = (set - 1) & partial) {
        if ((set & (set - 1)) == 0) continue;
        Spec next = here;
        for (int place = 0; place < shard_count(to_, dim); ++place) {
          const int axis = shard_axis(to_, dim, place);
          if (set >> axis & 1u) next = placed(next, axis, to_[axis]);
        }
        relax(at, Move::reduce_scatter, set, next);
      }
    }
  }

  /// And backwards: axes that split a dim, the last of those that do, are gathered in one collective. To I, the
  /// gradient is cut for all of them at once.
  constexpr void fuse_gathers(int at) {
    const Spec here{node_[at].bits};
    for (int a = 0; a < max_axes; ++a) {
      if (here[a].kind != Kind::shard || here[a].order != 0) continue;
      const int dim = here[a].dim;
      Spec next = here, same = here;
      unsigned set = 0;
      for (int place = shard_count(here, dim) - 1; place >= 0; --place) {
        const int axis = shard_axis(here, dim, place);
        if (!(mask_ >> axis & 1u)) break;
        next = placed(next, axis, {Kind::replicate});
        same = placed(same, axis, {Kind::invariant});
        set |= 1u << axis;
        if ((set & (set - 1)) == 0) continue;
        relax(at, Move::all_gather, set, next);
        relax(at, Move::all_gather, set, same);
      }
    }
  }

  /// Axes on one dim change their order, or where they cut it, in one exchange. Those that the plan does not
  /// touch stand in front.
  constexpr void rearrange(int at) {
    const Spec here{node_[at].bits};
    for (int a = 0; a < max_axes; ++a) {
      const AxisState first = here[a];
      if (first.kind != Kind::shard || first.order != 0) continue;  // stands for a dim that is split
      const int count = shard_count(here, first.dim);
      int axis[max_axes]{};
      int fixed = count;
      for (int place = count - 1; place >= 0; --place) {
        axis[place] = shard_axis(here, first.dim, place);
        if (mask_ >> axis[place] & 1u) fixed = place;
      }
      arrange(at, first.dim, axis, count, fixed, first.partition);
      const Partition partition = partition_of(to_, first.dim);
      if (fixed == 0 && partition != first.partition) arrange(at, first.dim, axis, count, 0, partition);
    }
  }
  /// Visits every order of the axes from `place` on.
  constexpr void arrange(int at, int dim, int* axis, int count, int place, Partition partition) {
    const int last = count < max_axes ? count : max_axes;
    if (place + 1 >= last) return exchange(at, dim, axis, count, partition);
    for (int i = place; i < last; ++i) {
      for (int back = 0; back < 2; ++back) {
        const int moved = axis[place];
        axis[place] = axis[i];
        axis[i] = moved;
        if (back == 0) arrange(at, dim, axis, count, place + 1, partition);
      }
    }
  }
  constexpr void exchange(int at, int dim, const int* axis, int count, Partition partition) {
    const Spec here{node_[at].bits};
    const Partition before = partition_of(here, dim);
    int low = count, high = -1;
    for (int place = 0; place < count; ++place) {
      if (shard_axis(here, dim, place) == axis[place]) continue;
      if (high < 0) low = place;
      high = place;
    }
    const bool same_order = high < 0;
    // Other cuts move what all of the axes hold.
    if (before != partition) low = 0;
    // Where pieces differ in size, so do the parts that the axes behind cut them into.
    if (before != partition || (partition != Partition::even && !same_order)) high = count - 1;
    // An axis between two that move takes part: where these differ in size, its coordinate changes too.
    unsigned axes = 0;
    for (int place = low; place <= high; ++place) axes |= 1u << axis[place];
    Spec next = here;
    for (int place = 0; place < count; ++place)
      next = next.with(axis[place], {Kind::shard, dim, place, partition});
    // What divides evenly is cut at the same places by both.
    const bool same_cuts = before != Partition::ragged && partition != Partition::ragged;
    if (axes != 0) relax(at, same_order && same_cuts ? Move::relabel : Move::permute, axes, next);
  }

  constexpr void relax(int at, Move move, unsigned axes, Spec next) {
    int& place = place_of(next.bits);
    const bool seen = place != 0;
    if (seen && node_[place - 1].done) return;
    const Step step{move, axes, Spec{node_[at].bits}, next};
    const std::int64_t cost =
        node_[at].cost + max_nodes * (nominal_cost(step) + nominal_cost(transposed(step))) + 1;
    // The goal was reached for less: what compilers need not look at.
    if (cost >= known_ || (seen && node_[place - 1].cost <= cost)) return;
    if (!seen) {
      if (!cut_one_way(next) || !reduced_one_way(next) || !splits_as_one_end(next)) return;
      if (count_ == max_nodes) throw Error("tpx::plan: more states than expected");
      place = ++count_;
    }
    if (next.bits == to_.bits) known_ = cost;
    node_[place - 1] = {next.bits, at, cost, move, axes, false};
  }

  /// One more than the number of the state's node; 0 where it has none yet. By hashing: compilers count the
  /// steps that a search takes, and Clang stops at a million.
  constexpr int& place_of(std::uint32_t bits) {
    std::uint32_t hash = (bits * 2654435761u >> 16) % places;
    while (place_[hash] != 0 && node_[place_[hash] - 1].bits != bits) hash = (hash + 1) % places;
    return place_[hash];
  }

  constexpr Plan path(int last) const {
    Plan plan{};
    for (int i = last; node_[i].parent >= 0; i = node_[i].parent) ++plan.count;
    int at = plan.count;
    for (int i = last; node_[i].parent >= 0; i = node_[i].parent)
      plan.step[--at] = {node_[i].move, node_[i].axes, Spec{node_[node_[i].parent].bits}, Spec{node_[i].bits}};
    return plan;
  }

  Spec from_;
  Spec to_;
  unsigned mask_ = 0;
  std::int64_t known_ = std::numeric_limits<std::int64_t>::max();  // of the cheapest way found so far
  int count_ = 0;
  Node node_[max_nodes]{};
  int place_[places]{};
};

}  // namespace detail

/// The cheapest steps from one layout to another.
/// @post the first step starts at `from`, each next one where the last ended, the last ends at `to`
constexpr Plan make_plan(Spec from, Spec to) { return detail::PlanSearch(from, to).run(); }

/// The plan between two layouts on the axes of a mesh, found once while the program compiles.
template <std::uint32_t From, std::uint32_t To>
inline constexpr Plan plan_v = make_plan(Spec{From}, Spec{To});

}  // namespace tpx
