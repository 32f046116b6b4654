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
    if (picture_.ndim() < 3) {
      y = panel({}, y + 16);
    } else {
      for (const int i : Picture::shown(picture_.pieces(0).size(), most_panels)) {
        if (i < 0) {
          y = line(0, y + 24, 13, "..");
          continue;
        }
        const Piece& p = picture_.pieces(0)[static_cast<std::size_t>(i)];
        y = line(0, y + 24, 13,
                 "dim 0: " + std::to_string(p.offset) + " to " + std::to_string(p.offset + p.extent - 1));
        y = panel({i}, y + 4);
      }
    }
    y += 12;
    for (const std::string& sentence : picture_.legend()) y = line(0, y + 18, 12, sentence);
    const std::string width = std::to_string(widest_ + 20), height = std::to_string(y + 12);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width + "\" height=\"" + height +
           "\" viewBox=\"-10 0 " + width + ' ' + height +
           "\" font-family=\"sans-serif\" style=\"background:#fff\">\n<title>" + escaped(picture_.title()) +
           "</title>\n<defs><pattern "
           "id=\"terms\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
           "<path d=\"M0 8L8 0\" stroke=\"#000\" stroke-opacity=\".25\"/></pattern></defs>\n" +
           body_ + "</svg>\n";
  }

 private:
  static constexpr int margin = 60;                                 // for the labels of the rows
  static constexpr int extent = 560;                                // of the wider side of a panel
  static constexpr int least = 24;                                  // of the other
  static constexpr std::size_t most_panels = 64, most_pieces = 24;  // more are not read

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
    if (anchor == "start") widest_ = std::max(widest_, x + static_cast<int>(text.size()) * size * 3 / 5);
    return y;
  }

  /// The pieces of a dim that are drawn, and where: to scale where they are all.
  struct Side {
    explicit Side(const std::vector<Piece>& all) : shown(Picture::shown(all.size(), most_pieces)) {
      const bool whole = all.size() <= most_pieces;
      for (const int i : shown) {
        const std::int64_t length = whole ? all[static_cast<std::size_t>(i)].extent : 1;
        edge.push_back(edge.back() + static_cast<double>(length));
        label.push_back(i < 0 ? ".." : std::to_string(all[static_cast<std::size_t>(i)].offset));
      }
    }
    double length() const { return edge.back(); }
    double pixels(double longest) const {
      return std::max({extent * length() / longest, 20.0 * static_cast<double>(shown.size()), double{least}});
    }

    std::vector<int> shown;
    std::vector<double> edge{0.0};
    std::vector<std::string> label;
  };

  /// Draws the last two dims below `top`; where it ends.
  int panel(std::vector<int> block, int top) {
    const int ndim = picture_.ndim();
    const std::vector<Piece> one{{0, 1}};
    const Side rows(ndim >= 2 ? picture_.pieces(ndim - 2) : one);
    const Side columns(ndim >= 1 ? picture_.pieces(ndim - 1) : one);
    if (rows.length() == 0 || columns.length() == 0) return top;
    const double longest = std::max(rows.length(), columns.length());
    const double width = std::min(columns.pixels(longest), double{extent});
    const double height = ndim >= 2 ? rows.pixels(1.6 * longest) : 40;
    const int y0 = top + 34;
    const auto x_at = [&](std::size_t i) {
      return margin + static_cast<int>(width * columns.edge[i] / columns.length());
    };
    const auto y_at = [&](std::size_t i) {
      return y0 + static_cast<int>(height * rows.edge[i] / rows.length());
    };

    if (ndim >= 1) line(margin, y0 - 20, 12, "dim " + std::to_string(ndim - 1));
    if (ndim >= 2) line(0, y0 - 4, 12, "dim " + std::to_string(ndim - 2));
    const int in_panel = static_cast<int>(rows.shown.size() * columns.shown.size());
    int number = block.empty() ? 0 : block.front() * in_panel;
    for (std::size_t r = 0; r < rows.shown.size(); ++r) {
      const int y = y_at(r), h = y_at(r + 1) - y;
      if (ndim >= 2 && h >= 12) line(margin - 6, y + 12, 11, rows.label[r], "end");
      for (std::size_t c = 0; c < columns.shown.size(); ++c, ++number) {
        const int x = x_at(c), w = x_at(c + 1) - x;
        if (r == 0 && ndim >= 1 && static_cast<int>(columns.label[c].size()) * 7 < w)
          line(x, y0 - 4, 11, columns.label[c]);
        if (rows.shown[r] < 0 || columns.shown[c] < 0) continue;
        std::vector<int> whole = block;
        if (ndim >= 2) whole.push_back(rows.shown[r]);
        if (ndim >= 1) whole.push_back(columns.shown[c]);
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
  int widest_ = margin + extent;
};

}  // namespace detail

/// The picture as an SVG document for a page: blocks to scale, coloured by owner, hatched where they are terms
/// of a sum.
inline std::string svg(const Picture& picture) { return detail::SvgDrawing(picture).draw(); }

}  // namespace tpx
