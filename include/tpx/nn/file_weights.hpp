// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tpx/io/load.hpp>
#include <tpx/nn/weights.hpp>

namespace tpx {

/// How a parameter lies in a file.
struct StoredWeight {
  std::string name;
  bool in_first = false;    ///< a linear's weight is [in, out]; otherwise [out, in]
  int part = 0, parts = 1;  ///< which of how many that lie side by side along the output features
  bool neighbours = false;  ///< rotary pairs of a head lie side by side, not half a head apart
};

namespace detail {

/// A dim of a tensor in a file as the model sees it: its extent there, and what this rank reads of it.
struct StoredDim {
  std::int64_t extent;
  Piece piece;
};

/// The pieces of all dims of a tensor, row-major in the file's order.
template <class T>
std::vector<T> read_pieces(const FileTensor& tensor, const std::vector<StoredDim>& dims) {
  if (!makes<T>(tensor.dtype))
    fail("tpx::FileWeights: tensor " + detail::quoted(tensor.name) + " is " + tensor.describe() +
         "; it cannot be read as " + name(element_v<T>));
  std::size_t run = dims.size();  // dims from here on lie in one piece: all but the first of them are whole
  std::int64_t length = 1, count = 1;
  for (const StoredDim& d : dims) count *= d.piece.extent;
  while (run > 0 && (run == dims.size() || dims[run].piece.extent == dims[run].extent))
    length *= dims[--run].piece.extent;
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::int64_t done = 0; done < count; done += length) {
    std::int64_t rest = done / length, at = 0, stride = 1;
    for (std::size_t d = dims.size(); d-- > 0;) {
      const std::int64_t within = d >= run ? 0 : rest % dims[d].piece.extent;
      if (d < run) rest /= dims[d].piece.extent;
      at += (dims[d].piece.offset + within) * stride;
      stride *= dims[d].extent;
    }
    decode(tensor.dtype, tensor.bytes.data(), at, length, values.data() + done);
  }
  return values;
}

/// Swaps the two groups of dims of a matrix (rows, columns).
template <class T>
std::vector<T> transposed_matrix(const std::vector<T>& x, std::int64_t rows, std::int64_t columns) {
  std::vector<T> y(x.size());
  constexpr std::int64_t block = 32;  // of both sides' cache lines
  for (std::int64_t r0 = 0; r0 < rows; r0 += block)
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t r = r0; r < std::min(r0 + block, rows); ++r)
        y[static_cast<std::size_t>(c * rows + r)] = x[static_cast<std::size_t>(r * columns + c)];
  return y;
}

/// Puts neighbouring pairs of each head half a head apart: blocks of `head` times `width` elements.
template <class T>
void part_neighbours(std::vector<T>& x, std::int64_t head, std::int64_t width) {
  std::vector<T> rows(static_cast<std::size_t>(head * width));
  for (std::size_t first = 0; first < x.size(); first += rows.size()) {
    for (std::int64_t i = 0; i < head; ++i) {
      const std::int64_t from = i < head / 2 ? 2 * i : 2 * (i - head / 2) + 1;
      std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(first) + from * width, width,
                  rows.begin() + i * width);
    }
    std::copy(rows.begin(), rows.end(), x.begin() + static_cast<std::ptrdiff_t>(first));
  }
}

}  // namespace detail

/// The parameters of a model that lie in a file, each rank reading its own part.
///
/// @comm   for each parameter, over all axes, an all-reduce (min) of one i32: all could read
/// @throws tpx::Error, on every rank, where a tensor is missing, naming the nearest there are, or of another
///         shape or type
class FileWeights {
 public:
  /// How the parameter of this name lies in the file.
  using Naming = std::function<StoredWeight(const TensorFile&, const std::string& parameter)>;

  /// @pre the file outlives this
  FileWeights(const TensorFile& file, Naming naming) : file_(&file), naming_(std::move(naming)) {}

  template <class T, int N, class Placement, class Mesh>
  auto linear(const Mesh& mesh, const std::string& name, const Shape& in, const Shape& out) const {
    return read<T, N, Placement>(mesh, name, in, out, Role::linear);
  }
  template <class T, class Placement, class Mesh>
  auto table(const Mesh& mesh, const std::string& name, const Shape& shape) const {
    return read<T, 2, Placement>(mesh, name, {}, shape, Role::table);
  }
  template <class T, int N, class Placement, class Mesh>
  auto vector(const Mesh& mesh, const std::string& name, const Shape& shape, T) const {
    return read<T, N, Placement>(mesh, name, {}, shape, Role::vector);
  }

 private:
  enum class Role { linear, table, vector };

  template <class T, int N, class Placement, class Mesh>
  auto read(const Mesh& mesh, const std::string& name, const Shape& in, const Shape& out, Role role) const {
    using L = parameter_layout_t<Mesh, Placement>;
    std::optional<DTensor<T, N, L, Mesh>>
        made;  // with the rest, so that the ranks agree on a lack of memory too
    std::vector<T> values;
    detail::together(mesh, [&] {
      made.emplace(detail::make_tensor<T, N, L>(mesh, detail::joined<N>(in, out)));
      values = this->template values<T>(name, in, out, role, made->distribution());
    });
    const DTensor<T, N, L, Mesh>& x = *made;
    if constexpr (Mesh::context_type::has_memory)
      detail::copy_from_host(mesh, values.data(), x.data(), x.local_count());
    return make_parameter(name, x, role != Role::vector);
  }

  /// This rank's part of [in..., out...].
  template <class T>
  std::vector<T> values(const std::string& name, const Shape& in, const Shape& out, Role role,
                        const Distribution& d) const {
    const StoredWeight stored = naming_(*file_, name);
    const FileTensor& tensor = file_->at(stored.name);
    std::vector<detail::StoredDim> rows, columns;
    for (int i = 0; i < in.ndim(); ++i) rows.push_back({in[i], d.piece(i)});
    if (stored.parts > 1) columns.push_back({stored.parts, {stored.part, 1}});
    for (int i = 0; i < out.ndim(); ++i) columns.push_back({out[i], d.piece(in.ndim() + i)});
    check_shape(tensor, in, out, role, stored);

    std::vector<detail::StoredDim> dims = stored.in_first ? rows : columns;
    const auto& last = stored.in_first ? columns : rows;
    dims.insert(dims.end(), last.begin(), last.end());
    std::vector<T> values = detail::read_pieces<T>(tensor, dims);
    const auto held = [](const std::vector<detail::StoredDim>& of) {
      std::int64_t n = 1;
      for (const detail::StoredDim& one : of) n *= one.piece.extent;
      return n;
    };
    if (stored.neighbours)
      detail::part_neighbours(values, out[out.ndim() - 1], stored.in_first ? 1 : held(rows));
    if (!stored.in_first && in.ndim() > 0)
      values = detail::transposed_matrix(values, held(columns), held(rows));
    return values;
  }

  /// A file knows no factors: what the model has as several dims is one there.
  static void check_shape(const FileTensor& tensor, const Shape& in, const Shape& out, Role role,
                          const StoredWeight& stored) {
    const std::int64_t inputs = in.count(), outputs = out.count() * stored.parts;
    const Shape matrix = stored.in_first ? Shape{inputs, outputs} : Shape{outputs, inputs};
    const Shape expected = role == Role::linear ? matrix : role == Role::table ? out : Shape{outputs};
    if (tensor.shape == expected) return;
    fail("tpx::FileWeights: tensor " + detail::quoted(tensor.name) + " is " + tensor.describe() +
         "; expected the shape " + print("", expected, {}, {}));
  }

  const TensorFile* file_;
  Naming naming_;
};

}  // namespace tpx
