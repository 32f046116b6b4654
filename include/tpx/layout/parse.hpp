// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/core/element.hpp>
#include <tpx/core/error.hpp>
#include <tpx/layout/distribution.hpp>
#include <tpx/layout/print.hpp>

namespace tpx {

/// What `f32[8@dp,16]{P:tp}` says.
struct TensorText {
  Element element = Element::f32;
  Shape shape{};
  Spec spec{};
};

/// What `dp=8,tp=8` says.
struct MeshText {
  std::vector<std::string_view> names;  ///< in the text that was read
  Grid grid{};
};

namespace detail {

/// Takes a text apart from the left; what does not fit is an Error that shows the whole text.
class TextReader {
 public:
  TextReader(std::string_view what, std::string_view text) : what_(what), text_(text), rest_(text) {}

  [[noreturn]] void refuse(const std::string& sentence) const {
    throw Error(std::string(what_) + ": '" + std::string(text_) + "': " + sentence);
  }

  bool ends() const { return rest_.empty(); }
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token, std::string_view after) {
    if (!take(token))
      refuse(std::string("'").append(token) + "' is expected after " + std::string(after) + ", not '" +
             std::string(rest_) + "'");
  }
  /// Letters, digits and underscores.
  std::string_view word() {
    std::size_t n = 0;
    const auto in_word = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    while (n < rest_.size() && in_word(rest_[n])) ++n;
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  template <class Integer>
  Integer number(std::string_view of_what, Integer least) {
    Integer value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error == std::errc::result_out_of_range) refuse(std::string(of_what) + " is too large a number");
    if (error != std::errc() || value < least)
      refuse(std::string(of_what) + " is a number of at least " + std::to_string(least) + ", not '" +
             std::string(rest_) + "'");
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

 private:
  std::string_view what_, text_, rest_;
};

/// Reads a tensor's text; the axes it names are put into `spec` as they come.
class TensorReader {
 public:
  TensorReader(std::string_view text, std::span<const std::string_view> names)
      : reader_("tpx::parse_tensor", text), names_(names) {}

  TensorText read() {
    read_element();
    reader_.expect("[", "the element");
    if (!reader_.take("]")) {
      do {
        read_dim();
      } while (reader_.take(","));
      reader_.expect("]", "the last dim");
    }
    if (reader_.take("{")) {
      do {
        read_rest();
      } while (reader_.take(" "));
      reader_.expect("}", "the last axis");
    }
    if (!reader_.ends()) reader_.refuse("nothing is expected after the layout");
    if (!reduced_one_way(tensor_.spec))
      reader_.refuse("a tensor is Partial by one reduction on all of its axes");
    return std::move(tensor_);
  }

 private:
  void read_element() {
    const std::string_view word = reader_.word();
    for (const Element e : all_elements) {
      if (word != name(e)) continue;
      tensor_.element = e;
      return;
    }
    reader_.refuse("it starts with an element: f32, f64, bf16, i32, i64 or u8");
  }

  void read_dim() {
    const int dim = tensor_.shape.ndim();
    if (dim == Spec::max_dims)
      reader_.refuse("a tensor has at most " + std::to_string(Spec::max_dims) + " dims");
    tensor_.shape.push_back(reader_.number<std::int64_t>("an extent", 0));
    AxisState state{Kind::shard, dim, 0};
    while (reader_.take("@")) place(state);
    if (shard_count(tensor_.spec, dim) == 0 || !reader_.take(":")) return;
    const std::string_view word = reader_.word();
    if (word == "balanced") {
      state.partition = Partition::balanced;
    } else if (word == "ragged") {
      state.partition = Partition::ragged;
      read_pieces(dim);
    } else {
      reader_.refuse("a dim is split ':balanced' or ':ragged', or evenly where nothing is said");
    }
    for (int order = 0; order < shard_count(tensor_.spec, dim); ++order) {
      state.order = order;
      tensor_.spec = tensor_.spec.with(shard_axis(tensor_.spec, dim, order), state);
    }
  }

  void read_pieces(int dim) {
    if (!reader_.take("(")) return;
    std::vector<std::int64_t> sizes;
    do {
      sizes.push_back(reader_.number<std::int64_t>("the size of a piece", 0));
    } while (reader_.take(","));
    reader_.expect(")", "the sizes of the pieces");
    try {
      tensor_.shape = tensor_.shape.with_pieces(dim, std::move(sizes));
    } catch (const Error& error) {
      reader_.refuse(error.what());
    }
  }

  /// "R:cp", "P:dp,tp", "Pmax:tp"
  void read_rest() {
    AxisState state;
    const std::string_view word = reader_.word();
    state.kind = word == "R" ? Kind::replicate : Kind::partial;
    if (word == "Pmax") {
      state.reduction = Reduction::max;
    } else if (word == "Pmin") {
      state.reduction = Reduction::min;
    } else if (word != "R" && word != "P") {
      reader_.refuse("the braces hold 'R:', 'P:', 'Pmax:' or 'Pmin:' and axes, not '" + std::string(word) +
                     "'");
    }
    reader_.expect(":", word);
    do {
      place(state);
    } while (reader_.take(","));
  }

  /// Reads an axis and puts it into the state; one that splits a dim splits it last.
  void place(AxisState state) {
    const std::string_view word = reader_.word();
    int axis = -1;
    std::string known;
    for (std::size_t a = 0; a < names_.size(); ++a) {
      known += (a > 0 ? ", " : "") + std::string(names_[a]);
      if (names_[a] == word) axis = static_cast<int>(a);
    }
    if (axis < 0)
      reader_.refuse(std::string("'").append(word) + "' is no axis of the mesh, which has " + known);
    if (seen_ >> axis & 1u) reader_.refuse("axis " + std::string(word) + " is named once");
    seen_ |= 1u << axis;
    if (state.kind == Kind::shard) state.order = shard_count(tensor_.spec, state.dim);
    tensor_.spec = tensor_.spec.with(axis, state);
  }

  TextReader reader_;
  std::span<const std::string_view> names_;
  TensorText tensor_;
  unsigned seen_ = 0;
};

}  // namespace detail

/// Reads what `print` writes: `f32[8@dp,16]{P:tp}`. The pieces of a ragged dim may be given with it, as in
/// `f32[10@tp:ragged(3,0,7)]`.
///
/// @param  names  the axes of the mesh, in its order
/// @post   print(name(t.element), t.shape, t.spec, names) is what is meant, as tpx spells it: R before P, and
///         without the sizes of pieces
/// @throws tpx::Error, which shows the text and says what is expected
inline TensorText parse_tensor(std::string_view text, std::span<const std::string_view> names) {
  return detail::TensorReader(text, names).read();
}

/// Reads a mesh: `dp=8,tp=8`, axes of any names, the last one innermost.
///
/// @post   the names are parts of `text`, which must live as long
/// @throws tpx::Error, which shows the text and says what is expected
inline MeshText parse_mesh(std::string_view text) {
  constexpr int most_ranks = 1 << 24;
  detail::TextReader reader("tpx::parse_mesh", text);
  MeshText mesh;
  int ranks = 1;
  do {
    const std::string_view name = reader.word();
    if (name.empty()) reader.refuse("an axis has a name, as in dp=8,tp=8");
    for (const std::string_view other : mesh.names)
      if (other == name) reader.refuse("axis " + std::string(name) + " is named once");
    if (mesh.grid.axes == detail::max_axes) reader.refuse("a mesh has at most four axes");
    reader.expect("=", name);
    const int size = reader.number<int>("the size of an axis", 1);
    if (ranks > most_ranks / size) reader.refuse("a mesh of more than 16777216 ranks is not looked at");
    ranks *= size;
    mesh.names.push_back(name);
    mesh.grid.size[mesh.grid.axes++] = size;
  } while (reader.take(","));
  if (!reader.ends()) reader.refuse("axes are separated by commas, as in dp=8,tp=8");
  return mesh;
}

}  // namespace tpx
