// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/layout/picture.hpp>

namespace tpx {

namespace detail {

/// Draws a Picture as SVG: a panel for each piece of dim 0 where there are three dims, in it a rectangle for
/// each block, as large as its extents say, with the ranks that hold it.
class SvgDrawing {
 public:
  explicit SvgDrawing(const Picture& picture) : picture_(picture) {}

  std::string draw() {
    int y = line(0, 24, 15, picture_.title());
    const int ndim = picture_.ndim();
    const std::size_t panels = ndim == 3 ? picture_.pieces(0).size() : 1;
    for (std::size_t i = 0; i < panels; ++i) {
      if (ndim < 3) {
        y = panel({}, y + 16);
        continue;
      }
      const Piece& p = picture_.pieces(0)[i];
      y = line(0, y + 24, 13,
               "dim 0: " + std::to_string(p.offset) + " to " + std::to_string(p.offset + p.extent - 1));
      y = panel({static_cast<int>(i)}, y + 4);
    }
    y += 12;
    for (const std::string& sentence : picture_.legend()) y = line(0, y + 18, 12, sentence);
    const std::string width = std::to_string(margin + extent + 20), height = std::to_string(y + 12);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width + "\" height=\"" + height +
           "\" viewBox=\"-10 0 " + width + ' ' + height + "\" font-family=\"sans-serif\">\n<title>" +
           escaped(picture_.title()) +
           "</title>\n<defs><pattern id=\"terms\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
           "<path d=\"M0 8L8 0\" stroke=\"#000\" stroke-opacity=\".25\"/></pattern></defs>\n" +
           body_ + "</svg>\n";
  }

 private:
  static constexpr int margin = 60;   // for the labels of the rows
  static constexpr int extent = 560;  // of the wider side of a panel
  static constexpr int least = 24;    // of the other

  static std::string escaped(std::string_view text) {
    std::string all;
    for (const char c : text) {
      switch (c) {
        case '<':
          all += "&lt;";
          break;
        case '>':
          all += "&gt;";
          break;
        case '&':
          all += "&amp;";
          break;
        case '"':
          all += "&quot;";
          break;
        default:
          all += c;
      }
    }
    return all;
  }

  /// Writes a line of text; the y of the next.
  int line(int x, int y, int size, std::string_view text, std::string_view anchor = "start") {
    body_ += "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" font-size=\"" +
             std::to_string(size) + "\" text-anchor=\"" + std::string(anchor) + "\">" + escaped(text) +
             "</text>\n";
    return y;
  }

  static std::int64_t end_of(const std::vector<Piece>& pieces) {
    return pieces.empty() ? 0 : pieces.back().offset + pieces.back().extent;
  }

  /// Draws the last two dims below `top`; where it ends.
  int panel(std::vector<int> block, int top) {
    const int ndim = picture_.ndim();
    const std::vector<Piece> one{{0, 1}};
    const std::vector<Piece>& rows = ndim >= 2 ? picture_.pieces(ndim - 2) : one;
    const std::vector<Piece>& columns = ndim >= 1 ? picture_.pieces(ndim - 1) : one;
    const double height_of = static_cast<double>(end_of(rows)), width_of = static_cast<double>(end_of(columns));
    if (height_of == 0 || width_of == 0) return top;
    // True to scale as far as the ranks can still be read.
    const double longest = std::max(height_of, width_of);
    const auto side = [&](double n, std::size_t pieces) {
      return std::max({static_cast<double>(extent) * n / longest / (ndim < 2 ? 1 : 1.6),
                       20.0 * static_cast<double>(pieces), double{least}});
    };
    const double width = std::min(side(width_of, columns.size()), double{extent});
    const double height = ndim >= 2 ? side(height_of, rows.size()) : 40;
    const int y0 = top + 34;
    const auto x_at = [&](std::int64_t i) {
      return margin + static_cast<int>(width * static_cast<double>(i) / width_of);
    };
    const auto y_at = [&](std::int64_t i) {
      return y0 + static_cast<int>(height * static_cast<double>(i) / height_of);
    };

    if (ndim >= 1) line(margin, y0 - 20, 12, "dim " + std::to_string(ndim - 1));
    if (ndim >= 2) line(0, y0 - 4, 12, "dim " + std::to_string(ndim - 2));
    int number = block.empty() ? 0 : block.front() * static_cast<int>(rows.size() * columns.size());
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const int y = y_at(rows[r].offset), h = y_at(rows[r].offset + rows[r].extent) - y;
      if (ndim >= 2 && h >= 12) line(margin - 6, y + 12, 11, std::to_string(rows[r].offset), "end");
      for (std::size_t c = 0; c < columns.size(); ++c, ++number) {
        const int x = x_at(columns[c].offset), w = x_at(columns[c].offset + columns[c].extent) - x;
        const std::string offset = std::to_string(columns[c].offset);
        if (r == 0 && ndim >= 1 && static_cast<int>(offset.size()) * 7 < w) line(x, y0 - 4, 11, offset);
        std::vector<int> whole = block;
        if (ndim >= 2) whole.push_back(static_cast<int>(r));
        if (ndim >= 1) whole.push_back(static_cast<int>(c));
        const std::string ranks = print_ranks(picture_.ranks(whole));
        // Neighbours differ in hue by the golden angle.
        rectangle(x, y, w, h, "hsl(" + std::to_string(number * 137 % 360) + ",60%,80%)", ranks);
        if (picture_.has_terms()) rectangle(x, y, w, h, "url(#terms)", ranks);
        if (static_cast<int>(ranks.size()) * 7 < w) line(x + w / 2, y + h / 2 + 4, 12, ranks, "middle");
      }
    }
    return y0 + static_cast<int>(height);
  }

  /// The ranks show when they are pointed at, too: they may not fit in.
  void rectangle(int x, int y, int w, int h, const std::string& fill, const std::string& ranks) {
    body_ += "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" width=\"" +
             std::to_string(w) + "\" height=\"" + std::to_string(h) + "\" fill=\"" + fill +
             "\" stroke=\"#333\"><title>rank " + ranks + "</title></rect>\n";
  }

  const Picture& picture_;
  std::string body_;
};

}  // namespace detail

/// The picture as an SVG document for a page: blocks to scale, coloured by owner, hatched where they are terms
/// of a sum.
inline std::string svg(const Picture& picture) { return detail::SvgDrawing(picture).draw(); }

}  // namespace tpx
