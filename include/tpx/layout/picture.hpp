// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/layout/distribution.hpp>
#include <tpx/layout/print.hpp>

namespace tpx {

namespace detail {

/// Where the rank with this number stands: the last axis counts fastest, as on a mesh.
constexpr Grid standing(Grid grid, int rank) {
  for (int a = grid.axes - 1; a >= 0; --a) {
    grid.coordinate[a] = rank % grid.size[a];
    rank /= grid.size[a];
  }
  return grid;
}

/// "dp=2,tp=4"
inline std::string print(const Grid& grid, std::span<const std::string_view> names) {
  std::string text;
  for (int a = 0; a < grid.axes; ++a) {
    if (a > 0) text += ',';
    text += names[static_cast<std::size_t>(a)];
    text += '=' + std::to_string(grid.size[a]);
  }
  return text;
}

/// "3", "0-7", "0,2,..,14", "0,1,4,5": ranks in ascending order, of which few enough are spelled.
inline std::string print_ranks(const std::vector<int>& ranks) {
  const std::size_t n = ranks.size();
  if (n == 0) return "none";
  std::string text = std::to_string(ranks.front());
  if (n == 1) return text;
  const int step = ranks[1] - ranks[0];
  bool regular = true;
  for (std::size_t i = 2; i < n; ++i) regular = regular && ranks[i] - ranks[i - 1] == step;
  const std::string last = std::to_string(ranks.back());
  if (regular && step == 1 && n > 2) return text + '-' + last;
  if (regular && n > 4) return text + ',' + std::to_string(ranks[1]) + ",..," + last;
  constexpr std::size_t most = 8;
  for (std::size_t i = 1; i < std::min(n, most); ++i) text += ',' + std::to_string(ranks[i]);
  return n <= most ? text : text + ",..," + last;
}

}  // namespace detail

/// Who owns what: the blocks that a layout cuts a tensor of up to three dims into, each with the ranks that
/// hold it. `text()` draws it for a terminal, `svg` (picture_svg.hpp) for a page.
///
/// @throws tpx::Error where the layout cannot hold the shape, or the tensor or the mesh is too large to be
///         drawn
class Picture {
 public:
  static constexpr int max_ndim = 3;
  static constexpr int max_ranks = 1 << 16;

  /// @param  grid  the sizes of the axes; whose coordinate it has does not matter
  Picture(std::string_view element, const Shape& shape, Spec spec, const Grid& grid,
          std::span<const std::string_view> names)
      : title_(print(element, shape, spec, names) + " on " + detail::print(grid, names)),
        ndim_(shape.ndim()),
        elements_(shape.count()) {
    if (ndim_ > max_ndim)
      fail("tpx::Picture: a tensor of up to three dims is drawn; " + print(element, shape, spec, names));
    if (grid.ranks(~0u) > max_ranks)
      fail("tpx::Picture: a mesh of up to " + std::to_string(max_ranks) + " ranks is drawn; " +
           detail::print(grid, names));
    Distribution(shape, spec, grid).check(element, names);
    find_pieces(shape, spec, grid);
    for (int a = 0; a < grid.axes; ++a)
      legend_.push_back(explain(spec[a], grid.size[a], names[static_cast<std::size_t>(a)]));
    for (int a = 0; a < grid.axes; ++a) has_terms_ = has_terms_ || spec[a].kind == Kind::partial;
  }

  /// "f32[8@dp,16@tp] on dp=2,tp=2"
  const std::string& title() const { return title_; }
  int ndim() const { return ndim_; }
  /// The pieces of a dim that hold anything, in order; of a dim that the tensor does not have, one.
  const std::vector<Piece>& pieces(int dim) const { return pieces_[place(dim)]; }
  /// The ranks that hold the block of these pieces, one number for each dim.
  const std::vector<int>& ranks(const std::vector<int>& block) const {
    std::size_t at = 0;
    for (int d = 0; d < ndim_; ++d)
      at = at * pieces(d).size() + static_cast<std::size_t>(block[static_cast<std::size_t>(d)]);
    return blocks_[at];
  }
  /// The ranks that hold nothing.
  const std::vector<int>& idle() const { return idle_; }
  /// What each axis does, a sentence each, and how much a rank holds.
  const std::vector<std::string>& legend() const { return legend_; }
  /// Whether what the ranks hold are terms of a sum.
  bool has_terms() const { return has_terms_; }

  /// Numbers of the pieces of a dim that are drawn where they are more than `most`: the first ones and the
  /// last; -1 stands for those between.
  static std::vector<int> shown(std::size_t count, std::size_t most) {
    std::vector<int> all;
    for (std::size_t i = 0; i < count; ++i) {
      if (count <= most || i + 2 < most || i + 1 == count) all.push_back(static_cast<int>(i));
      if (count > most && i + 2 == count) all.push_back(-1);
    }
    return all;
  }

  /// For a terminal: a table of the ranks for each piece of dim 0 where there are three dims.
  std::string text() const {
    std::string all = title_ + '\n';
    if (!blocks_.empty() && !blocks_.front().empty()) {
      if (ndim_ < 3) {
        all += '\n' + table({});
      } else {
        for (const int i : shown(pieces(0).size(), most_shown)) {
          if (i < 0) {
            all += "\n..\n";
            continue;
          }
          const Piece& p = pieces(0)[static_cast<std::size_t>(i)];
          all += "\ndim 0: " + std::to_string(p.offset) + " to " + std::to_string(p.offset + p.extent - 1) +
                 '\n' + table({i});
        }
      }
    }
    all += '\n';
    for (const std::string& line : legend_) all += line + '\n';
    return all;
  }

 private:
  static constexpr std::size_t most_shown = 8;
  static constexpr std::size_t widest = 100;  ///< characters of a line

  /// The dims of a tensor are the last ones of three.
  std::size_t place(int dim) const { return static_cast<std::size_t>(dim + max_ndim - ndim_); }

  void find_pieces(const Shape& shape, Spec spec, const Grid& grid) {
    // In the order of the axes that split a dim its pieces lie one behind the other.
    std::vector<int>
        column[max_ndim];  // which of the pieces each number along these axes has; -1: an empty one
    for (int d = 0; d < max_ndim; ++d) pieces_[d].assign(d < max_ndim - ndim_ ? 1 : 0, Piece{0, 1});
    std::size_t blocks = 1;
    for (int d = 0; d < ndim_; ++d) {
      std::vector<Piece>& pieces = pieces_[place(d)];
      const int count = Distribution(shape, spec, grid).divisor(d);
      for (int number = 0; number < count; ++number) {
        const Piece piece = Distribution(shape, spec, with_number(grid, spec, d, number)).piece(d);
        column[d].push_back(piece.extent == 0 ? -1 : static_cast<int>(pieces.size()));
        if (piece.extent > 0) pieces.push_back(piece);
      }
      blocks *= pieces.size();
    }
    blocks_.resize(blocks);
    std::int64_t least = elements_, most = 0;
    for (int r = 0; r < grid.ranks(~0u); ++r) {
      const Grid here = detail::standing(grid, r);
      std::size_t block = 0;
      std::int64_t count = 1;
      for (int d = 0; d < ndim_; ++d) {
        const std::vector<Piece>& pieces = pieces_[place(d)];
        const int at = column[d][static_cast<std::size_t>(number_of(here, spec, d))];
        count *= at < 0 ? 0 : pieces[static_cast<std::size_t>(at)].extent;
        block = block * pieces.size() + static_cast<std::size_t>(at < 0 ? 0 : at);
      }
      (count == 0 ? idle_ : blocks_[block]).push_back(r);
      least = std::min(least, count);
      most = std::max(most, count);
    }
    legend_.push_back("each rank holds " + std::to_string(least) +
                      (least == most ? "" : " to " + std::to_string(most)) + " of " +
                      std::to_string(elements_) + " elements");
    if (!idle_.empty()) legend_.push_back("nothing is on rank " + detail::print_ranks(idle_));
  }

  /// Where a rank stands among those that split a dim, the first axis major; and the rank that stands there.
  static int number_of(const Grid& here, Spec spec, int dim) {
    int number = 0;
    for (int order = 0; order < detail::shard_count(spec, dim); ++order) {
      const int a = detail::shard_axis(spec, dim, order);
      number = number * here.size[a] + here.coordinate[a];
    }
    return number;
  }
  static Grid with_number(Grid grid, Spec spec, int dim, int number) {
    for (int order = detail::shard_count(spec, dim) - 1; order >= 0; --order) {
      const int a = detail::shard_axis(spec, dim, order);
      grid.coordinate[a] = number % grid.size[a];
      number /= grid.size[a];
    }
    return grid;
  }

  static std::string explain(AxisState state, int size, std::string_view name) {
    const std::string axis =
        std::string(name) + ", " + std::to_string(size) + (size == 1 ? " rank: " : " ranks: ");
    switch (state.kind) {
      case Kind::shard:
        return axis +
               (state.order == 0 ? "different pieces of dim " : "different parts of each piece of dim ") +
               std::to_string(state.dim);
      case Kind::replicate:
        return axis + "the same value, used for different work";
      case Kind::partial:
        return axis + "terms that are still to be combined, " + print(state);
      case Kind::invariant:
        break;
    }
    return axis + "the same value";
  }

  /// The last two dims: rows, and as many columns as fit beside each other.
  std::string table(const std::vector<int>& block) const {
    for (std::size_t most = most_shown;; --most) {
      std::string text = table(block, most);
      const std::size_t rule = text.find('+');
      if (most == 3 || text.find('\n', rule) - rule <= widest) return text;
    }
  }
  std::string table(const std::vector<int>& block, std::size_t most_columns) const {
    const std::vector<int> rows = shown(pieces_[1].size(), most_shown),
                           columns = shown(pieces_[2].size(), most_columns);
    const auto offset_of = [](const std::vector<Piece>& pieces, int i) {
      return i < 0 ? std::string("..") : std::to_string(pieces[static_cast<std::size_t>(i)].offset);
    };
    const auto cell = [&](int row, int column) -> std::string {
      if (row < 0 || column < 0) return "..";
      std::vector<int> whole = block;
      if (ndim_ >= 2) whole.push_back(row);
      if (ndim_ >= 1) whole.push_back(column);
      return detail::print_ranks(ranks(whole));
    };
    const auto padded = [](std::string text, std::size_t width) {
      text.resize(std::max(width, text.size()), ' ');
      return text;
    };
    std::size_t margin = 0, widest_cell = 1;
    for (const int row : rows) {
      margin = std::max(margin, offset_of(pieces_[1], row).size());
      for (const int column : columns)
        widest_cell = std::max({widest_cell, cell(row, column).size(), offset_of(pieces_[2], column).size()});
    }
    std::vector<std::size_t> width;
    for (const int column : columns) width.push_back(column < 0 ? 2 : widest_cell);
    const std::string side = ndim_ >= 2 ? "dim " + std::to_string(ndim_ - 2) + "  " : "";
    const std::string indent(side.size() + (ndim_ >= 2 ? margin + 1 : 0), ' ');
    std::string rule = indent + '+', text;
    for (const std::size_t w : width) rule += std::string(w + 2, '-') + '+';
    if (ndim_ >= 1) {
      text += indent + "dim " + std::to_string(ndim_ - 1) + '\n' + indent;
      for (std::size_t i = 0; i < columns.size(); ++i)
        text += padded(offset_of(pieces_[2], columns[i]), width[i] + 3);
      text.erase(text.find_last_not_of(' ') + 1);
      text += '\n';
    }
    text += rule + '\n';
    for (const int row : rows) {
      const bool first = row == rows.front();
      if (ndim_ >= 2)
        text += (first ? side : std::string(side.size(), ' ')) + padded(offset_of(pieces_[1], row), margin + 1);
      text += '|';
      for (std::size_t i = 0; i < columns.size(); ++i)
        text += ' ' + padded(cell(row, columns[i]), width[i]) + " |";
      text += '\n' + rule + '\n';
    }
    return text;
  }

  std::string title_;
  int ndim_;
  std::int64_t elements_;
  std::vector<Piece> pieces_[max_ndim];
  std::vector<std::vector<int>> blocks_;  ///< ranks, of all pieces of dim 0 by those of dim 1 by those of dim 2
  std::vector<int> idle_;
  std::vector<std::string> legend_;
  bool has_terms_ = false;
};

}  // namespace tpx
