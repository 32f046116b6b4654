// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <tpx/layout/shape.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// A tensor's type as tpx writes it everywhere: `f32[8@dp,16]{P:tp}`. A split dim names its axes, major
/// first (`8@dp@tp`); the braces hold what is not split, Replicate before Partial; Invariant is not spelled.
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
  }
  text += ']';
  std::string rest;
  for (const Kind kind : {Kind::replicate, Kind::partial}) {
    std::string axes;
    for (std::size_t a = 0; a < axis_names.size(); ++a) {
      if (spec[static_cast<int>(a)].kind != kind) continue;
      if (!axes.empty()) axes += ',';
      axes += axis_names[a];
    }
    if (axes.empty()) continue;
    if (!rest.empty()) rest += ' ';
    rest += (kind == Kind::replicate ? "R:" : "P:") + axes;
  }
  return rest.empty() ? text : text + '{' + rest + '}';
}

/// One state alone: `S(0)`, `I`, `R`, `P(sum)`.
inline std::string print(AxisState state) {
  switch (state.kind) {
    case Kind::invariant: return "I";
    case Kind::replicate: return "R";
    case Kind::partial: return "P(sum)";
    case Kind::shard: return "S(" + std::to_string(state.dim) + ")";
  }
  return {};
}

}  // namespace tpx
