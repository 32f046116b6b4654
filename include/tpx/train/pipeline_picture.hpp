// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <sstream>
#include <string>

#include <tpx/train/pipeline_check.hpp>

namespace tpx {

namespace detail {

/// "3", "3b" in the second of several chunks, "3'" for a backward.
inline std::string pipeline_label(const PipelineSchedule& s, const PipelineAction& a) {
  std::string text = std::to_string(a.micro_batch);
  if (s.chunks > 1 && a.chunk < 26) text += static_cast<char>('a' + a.chunk);
  if (s.chunks > 1 && a.chunk >= 26) text.append("/").append(std::to_string(a.chunk));
  return text + (a.act == PipelineAction::Act::backward ? "'" : "");
}

inline bool computes(const PipelineAction& a) {
  return a.act == PipelineAction::Act::forward || a.act == PipelineAction::Act::backward;
}

}  // namespace detail

/// A schedule in characters, a line a rank and a column for each unit of the shorter computation: the number
/// of the micro-batch, with a letter for its chunk and ' for a backward, - while that lasts, . in the bubble.
///
///   1f1b, 2 ranks, 3 micro-batches: bubble 25.0 %
///   rank 0 |0  1  .  .  0' -  2  1' -  .  2' -  |
///   rank 1 |.  0  0' -  1  1' -  2  2' -  .  .  |
inline std::string picture(const PipelineSchedule& s, const PipelineDurations& durations = {}) {
  const PipelineTimeline line = simulate(s, durations);
  const double unit = std::min(durations.forward, durations.backward);
  const auto columns = static_cast<int>(std::lround(line.total / unit));
  std::size_t width = 1;
  for (const auto& rank : line.spans)
    for (const auto& span : rank) width = std::max(width, detail::pipeline_label(s, span.action).size());
  const std::size_t digits = std::to_string(s.ranks - 1).size();
  std::ostringstream out;
  out.precision(1);
  out << name(s.kind) << ", " << s.ranks << (s.ranks == 1 ? " rank, " : " ranks, ");
  if (s.chunks > 1) out << s.chunks << " chunks, ";
  out << s.micro_batches << " micro-batches: bubble " << std::fixed << 100 * line.bubble_share() << " %\n";
  for (int r = 0; r < s.ranks; ++r) {
    const std::string number = std::to_string(r);
    out << "rank " << std::string(digits - number.size(), ' ') << number << " |";
    const PipelineTimeline::Span* shown = nullptr;
    for (int c = 0; c < columns; ++c) {
      const double middle = (c + 0.5) * unit;
      std::string cell = ".";
      for (const auto& span : line.spans[static_cast<std::size_t>(r)]) {
        if (!detail::computes(span.action) || span.begin > middle || span.end <= middle) continue;
        cell = shown == &span ? "-" : detail::pipeline_label(s, span.action);
        shown = &span;
      }
      out << cell << std::string(width + 1 - cell.size(), ' ');
    }
    out << "|\n";
  }
  if (!line.stuck.empty()) out << line.stuck << '\n';
  return out.str();
}

/// The same as an SVG: forwards blue, backwards green, darker for later chunks, the bubble hatched.
inline std::string svg_picture(const PipelineSchedule& s, const PipelineDurations& durations = {}) {
  const PipelineTimeline line = simulate(s, durations);
  constexpr int left = 64, top = 34, row = 26;
  const double scale = 26 / std::min(durations.forward, durations.backward);
  const int width = static_cast<int>(std::ceil(left + line.total * scale)) + 10,
            height = top + row * s.ranks + 30;
  std::ostringstream out;
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\"" << height
      << "\" font-family=\"sans-serif\" font-size=\"11\">\n"
      << "<defs><pattern id=\"bubble\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
      << "<path d=\"M0 6L6 0\" stroke=\"#b0b0b0\"/></pattern></defs>\n"
      << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  const std::string first = picture(s, durations);
  out << "<text x=\"" << left << "\" y=\"20\">" << first.substr(0, first.find('\n')) << "</text>\n";
  for (int r = 0; r < s.ranks; ++r) {
    const int y = top + row * r;
    out << "<text x=\"8\" y=\"" << y + 17 << "\">rank " << r << "</text>\n<rect class=\"bubble\" x=\"" << left
        << "\" y=\"" << y << "\" width=\"" << line.total * scale << "\" height=\"" << row - 4
        << "\" fill=\"url(#bubble)\" stroke=\"#b0b0b0\"/>\n";
    for (const auto& span : line.spans[static_cast<std::size_t>(r)]) {
      if (!detail::computes(span.action)) continue;
      const bool forward = span.action.act == PipelineAction::Act::forward;
      const int light = 80 - 30 * span.action.chunk / s.chunks;
      const double x = left + span.begin * scale, w = (span.end - span.begin) * scale;
      out << "<rect class=\"" << (forward ? "forward" : "backward") << "\" x=\"" << x << "\" y=\"" << y
          << "\" width=\"" << w << "\" height=\"" << row - 4 << "\" fill=\"hsl(" << (forward ? 210 : 130)
          << ",60%," << light << "%)\" stroke=\"#404040\"/><text x=\"" << x + w / 2 << "\" y=\"" << y + 15
          << "\" text-anchor=\"middle\">" << detail::pipeline_label(s, span.action) << "</text>\n";
    }
  }
  out << "<text x=\"" << left << "\" y=\"" << height - 10
      << "\">blue: forward, green: backward, hatched: bubble; the number is the micro-batch</text>\n</svg>\n";
  return out.str();
}

}  // namespace tpx
