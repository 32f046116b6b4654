// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/reduction.hpp>
#include <tpx/layout/axis.hpp>

namespace tpx {

/// What the ranks along one mesh axis hold.
///
/// | state     | the ranks hold                                         | gradient's state |
/// | invariant | the same value, and its gradient is the same value too | invariant        |
/// | replicate | the same value, each used for different work           | partial          |
/// | partial   | terms that are still to be summed                      | replicate        |
/// | shard     | different pieces of one dim                            | shard            |
enum class Kind : unsigned char { invariant, replicate, partial, shard };

/// Where a dim of n elements is cut into p pieces, in the order of the ranks.
///
/// | even     | n / p each; p must divide n                                         |
/// | balanced | floor(n / p) or one more, the larger ones first; some may be empty  |
/// | ragged   | sizes known at run time only                                        |
enum class Partition : unsigned char { even, balanced, ragged };

/// The state of a tensor on one mesh axis.
struct AxisState {
  Kind kind = Kind::invariant;
  int dim = 0;    ///< shard: which dim is split
  int order = 0;  ///< shard: place among the axes that split this dim, 0 = major (splits first)
  Partition partition = Partition::even;  ///< shard: the same for all axes that split one dim
  Reduction reduction = Reduction::sum;   ///< partial: how the terms become one

  friend constexpr bool operator==(const AxisState&, const AxisState&) = default;
};

/// A layout as a value: one byte for each axis of a list, packed into one integer, because copying an
/// integer is what constant evaluation does fastest and because a type that depends on it has a short name.
///
/// Bits 0-3 of a byte: 0 invariant, 1 replicate, 2 partial, 4 + d shard of dim d; bits 4-5: the order of a
/// shard, the reduction of a partial; bits 6-7: the partition of a shard.
struct Spec {
  std::uint32_t bits = 0;

  static constexpr int max_dims = 12;

  /// State on axis number `axis` of the list that this Spec belongs to.
  constexpr AxisState operator[](int axis) const {
    const std::uint32_t byte = (bits >> (8 * axis)) & 0xffu;
    const int code = static_cast<int>(byte & 0xfu);
    const int second = static_cast<int>(byte >> 4) & 3;
    if (code >= 4) return {Kind::shard, code - 4, second, static_cast<Partition>(byte >> 6), Reduction::sum};
    return {static_cast<Kind>(code), 0, 0, Partition::even, static_cast<Reduction>(second)};
  }

  /// What the ranks along axis number `axis` hold.
  constexpr Kind kind(int axis) const {
    const std::uint32_t code = (bits >> (8 * axis)) & 0xfu;
    return code >= 4 ? Kind::shard : static_cast<Kind>(code);
  }

  /// This Spec with another state on one axis; the caller keeps the orders of a dim contiguous.
  constexpr Spec with(int axis, AxisState state) const {
    std::uint32_t byte = static_cast<std::uint32_t>(state.kind);
    if (state.kind == Kind::shard)
      byte = static_cast<std::uint32_t>(4 + state.dim) | static_cast<std::uint32_t>(state.order) << 4 |
             static_cast<std::uint32_t>(state.partition) << 6;
    else if (state.kind == Kind::partial)
      byte |= static_cast<std::uint32_t>(state.reduction) << 4;
    return {(bits & ~(0xffu << (8 * axis))) | (byte << (8 * axis))};
  }

  friend constexpr bool operator==(const Spec&, const Spec&) = default;
};

namespace detail {

/// Number of axes that split `dim`.
constexpr int shard_count(Spec spec, int dim) {
  int count = 0;
  for (int a = 0; a < max_axes; ++a) count += spec[a].kind == Kind::shard && spec[a].dim == dim;
  return count;
}

/// The axis that splits `dim` at place `order`, or -1.
constexpr int shard_axis(Spec spec, int dim, int order) {
  for (int a = 0; a < max_axes; ++a) {
    const AxisState s = spec[a];
    if (s.kind == Kind::shard && s.dim == dim && s.order == order) return a;
  }
  return -1;
}

/// Where the axes that split `dim` cut it; even where none does.
constexpr Partition partition_of(Spec spec, int dim) {
  const int a = shard_axis(spec, dim, 0);
  return a < 0 ? Partition::even : spec[a].partition;
}

/// Whether all axes that split a dim cut it the same way.
constexpr bool cut_one_way(Spec spec) {
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == Kind::shard && spec[a].partition != partition_of(spec, spec[a].dim)) return false;
  return true;
}

/// Whether one and the same reduction is left to do on all axes that are Partial.
constexpr bool reduced_one_way(Spec spec) {
  for (int a = 0; a < max_axes; ++a)
    for (int b = 0; b < a; ++b)
      if (spec[a].kind == Kind::partial && spec[b].kind == Kind::partial &&
          spec[a].reduction != spec[b].reduction)
        return false;
  return true;
}

/// Whether a tensor of this layout has a gradient: sums have, maxima and minima have not.
constexpr bool has_gradient(Spec spec) {
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == Kind::partial && spec[a].reduction != Reduction::sum) return false;
  return true;
}

/// Whether some dim is cut at places that are known at run time only.
constexpr bool is_ragged(Spec spec) {
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == Kind::shard && spec[a].partition == Partition::ragged) return true;
  return false;
}

/// Whether the axis splits no dim, or is the last to split its own: only such an axis can leave the dim by
/// a collective on that axis alone.
constexpr bool is_minor(Spec spec, int axis) {
  const AxisState s = spec[axis];
  return s.kind != Kind::shard || s.order == shard_count(spec, s.dim) - 1;
}

/// Whether no axis is in a state of this kind.
constexpr bool no_axis_is(Spec spec, Kind kind) {
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == kind) return false;
  return true;
}

/// Takes the axis off whatever it does; axes that split its dim after it move up.
constexpr Spec cleared(Spec spec, int axis) {
  const AxisState gone = spec[axis];
  spec = spec.with(axis, {});
  if (gone.kind != Kind::shard) return spec;
  for (int a = 0; a < max_axes; ++a) {
    AxisState s = spec[a];
    if (s.kind == Kind::shard && s.dim == gone.dim && s.order > gone.order) {
      --s.order;
      spec = spec.with(a, s);
    }
  }
  return spec;
}

/// Puts the axis into a state; one that comes to split a dim splits it last.
constexpr Spec placed(Spec spec, int axis, AxisState state) {
  spec = cleared(spec, axis);
  if (state.kind == Kind::shard) state.order = shard_count(spec, state.dim);
  return spec.with(axis, state);
}

}  // namespace detail

/// The gradient's state, by itself a function of the value's: S and I keep theirs, R and P change places.
constexpr Kind dual(Kind kind) {
  return kind == Kind::replicate ? Kind::partial : kind == Kind::partial ? Kind::replicate : kind;
}

/// The gradient's layout.  @post dual(dual(s)) == s
/// @pre what is Partial is so by a sum: a maximum has no gradient across ranks
constexpr Spec dual(Spec spec) {
  for (int a = 0; a < detail::max_axes; ++a) {
    AxisState s = spec[a];
    s.kind = dual(s.kind);
    s.reduction = Reduction::sum;
    spec = spec.with(a, s);
  }
  return spec;
}

}  // namespace tpx
