// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/dtype.hpp>
#include <tpx/layout/print.hpp>
#include <tpx/layout/shape.hpp>

namespace tpx {

/// A tensor as it lies in a file, row-major: nothing is read until its bytes are.
struct FileTensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  Shape shape;
  std::span<const std::byte> bytes;  ///< in the file's memory

  /// "F32[8,16]"
  std::string describe() const { return print(format_of(dtype).name, shape, {}, {}); }
};

namespace detail {

/// A name out of a file, fit to be printed: in quotes, shortened, without control characters.
inline std::string quoted(std::string_view name) {
  constexpr std::size_t most = 80;
  constexpr const char* digits = "0123456789abcdef";
  std::string text = "'";
  for (const char c : name.substr(0, most)) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code != 0x7f && code < 0x80) {
      text += c;
    } else {
      text += std::string("\\x") + digits[code >> 4] + digits[code & 15];
    }
  }
  return text + (name.size() > most ? "...'" : "'");
}

/// How many characters must be put in, left out or replaced to make one of the other.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({replaced, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

/// "'a.weight', 'b.weight'": up to three of the names, the likeliest to be meant first.
template <class Names>
std::string nearest(std::string_view wanted, const Names& names) {
  constexpr std::size_t longest = 256;  // the distance costs the product of the lengths
  std::vector<std::pair<std::size_t, std::string_view>> ranked;
  for (const auto& entry : names)
    ranked.emplace_back(
        edit_distance(wanted.substr(0, longest), std::string_view(entry.first).substr(0, longest)),
        entry.first);
  const std::size_t shown = std::min<std::size_t>(3, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(shown), ranked.end());
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) text += (i > 0 ? ", " : "") + quoted(ranked[i].second);
  return text;
}

/// Bytes of a tensor; nothing where they are more than 63 bits count, or its rows are not whole blocks.
/// @pre the extents are not negative
inline std::optional<std::int64_t> stored_bytes(Dtype dtype, const Shape& shape) {
  const DtypeFormat& format = format_of(dtype);
  const int last = shape.ndim() - 1;
  if (format.block > 1 && (last < 0 || shape[last] % format.block != 0)) return std::nullopt;
  // Extents of zero are left out first: the product of the others is a stride, and must fit as well.
  std::int64_t bytes = format.bytes;
  bool empty = false;
  for (int d = 0; d <= last; ++d) {
    const std::int64_t n = d == last ? shape[d] / format.block : shape[d];
    empty = empty || n == 0;
    if (n == 0) continue;
    if (bytes > std::numeric_limits<std::int64_t>::max() / format.block / n) return std::nullopt;
    bytes *= n;
  }
  return empty ? 0 : bytes;
}

}  // namespace detail

/// The tensors of a file, by name.
class TensorFile {
 public:
  /// As it was opened.
  const std::string& path() const { return path_; }
  /// In the order of their bytes.
  const std::vector<FileTensor>& tensors() const { return tensors_; }

  /// The tensor of this name, or null.
  const FileTensor* find(std::string_view name) const {
    const auto at = places_.find(name);
    return at == places_.end() ? nullptr : &tensors_[at->second];
  }
  /// @throws tpx::Error with the nearest names where there is none of this one
  const FileTensor& at(std::string_view name) const {
    if (const FileTensor* tensor = find(name)) return *tensor;
    fail("tpx: '" + path_ + "' has no tensor " + detail::quoted(name) +
         (places_.empty() ? ", and no other"
                          : "; the nearest of its " + std::to_string(places_.size()) + " are " +
                                detail::nearest(name, places_)));
  }

 protected:
  explicit TensorFile(std::string path) : path_(std::move(path)) {}
  TensorFile(TensorFile&&) noexcept = default;
  TensorFile& operator=(TensorFile&&) noexcept = default;
  ~TensorFile() = default;

  /// False where the name is taken.
  bool add(FileTensor tensor) {
    if (!places_.emplace(tensor.name, tensors_.size()).second) return false;
    tensors_.push_back(std::move(tensor));
    return true;
  }
  /// Sorts by the place in the file.
  void order_by_place() {
    std::sort(tensors_.begin(), tensors_.end(), [](const FileTensor& a, const FileTensor& b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    for (std::size_t i = 0; i < tensors_.size(); ++i) places_.find(tensors_[i].name)->second = i;
  }

 private:
  std::string path_;
  std::vector<FileTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> places_;
};

}  // namespace tpx
