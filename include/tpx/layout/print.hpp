// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <tpx/layout/shape.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// A tensor's type as tpx writes it everywhere: `f32[8@dp,16]{P:tp}`. A split dim names its axes, major
/// first (`8@dp@tp`), and how it is cut where not evenly (`9@tp:balanced`); the braces hold what is not split,
/// Replicate before Partial (`Pmax`, `Pmin` where no sum is meant); Invariant is not spelled.
inline std::string print(std::string_view element, const Shape& global, Spec spec,
                         std::span<const std::string_view> axis_names) {
  std::string text(element);
  text += '[';
  for (int d = 0; d < global.ndim(); ++d) {
    if (d > 0) text += ',';
    text += std::to_string(global[d]);
    for (int order = 0; order < detail::shard_count(spec, d); ++order) {
      text += '@';
      text += axis_names[static_cast<std::size_t>(detail::shard_axis(spec, d, order))];
    }
    if (const Partition partition = detail::partition_of(spec, d); partition != Partition::even)
      text += partition == Partition::balanced ? ":balanced" : ":ragged";
  }
  text += ']';
  std::string rest;
  for (const Kind kind : {Kind::replicate, Kind::partial}) {
    std::string axes;
    Reduction reduction = Reduction::sum;
    for (std::size_t a = 0; a < axis_names.size(); ++a) {
      const AxisState state = spec[static_cast<int>(a)];
      if (state.kind != kind) continue;
      if (!axes.empty()) axes += ',';
      axes += axis_names[a];
      reduction = state.reduction;
    }
    if (axes.empty()) continue;
    if (!rest.empty()) rest += ' ';
    rest += kind == Kind::replicate       ? "R:"
            : reduction == Reduction::sum ? "P:"
                                          : std::string("P") + name(reduction) + ":";
    rest += axes;
  }
  return rest.empty() ? text : text + '{' + rest + '}';
}

/// One state alone: `S(0)`, `S(0,balanced)`, `I`, `R`, `P(sum)`.
inline std::string print(AxisState state) {
  switch (state.kind) {
    case Kind::invariant:
      return "I";
    case Kind::replicate:
      return "R";
    case Kind::partial:
      return std::string("P(") + name(state.reduction) + ")";
    case Kind::shard:
      return "S(" + std::to_string(state.dim) +
             (state.partition == Partition::even       ? ")"
              : state.partition == Partition::balanced ? ",balanced)"
                                                       : ",ragged)");
  }
  return {};
}

}  // namespace tpx
