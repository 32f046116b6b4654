// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/gguf_reader.hpp>
#include <tpx/io/gguf_value.hpp>
#include <tpx/io/mapped_file.hpp>
#include <tpx/io/tensor_file.hpp>

namespace tpx {

namespace detail {

/// What GGUF's number of a tensor type stands for, where tpx reads it.
inline std::optional<Dtype> gguf_dtype(std::uint32_t code) {
  constexpr std::pair<std::uint32_t, Dtype> known[] = {
      {0, Dtype::f32},   {1, Dtype::f16},   {2, Dtype::q4_0}, {3, Dtype::q4_1},
      {6, Dtype::q5_0},  {7, Dtype::q5_1},  {8, Dtype::q8_0}, {12, Dtype::q4_k},
      {13, Dtype::q5_k}, {14, Dtype::q6_k}, {24, Dtype::i8},  {25, Dtype::i16},
      {26, Dtype::i32},  {27, Dtype::i64},  {28, Dtype::f64}, {30, Dtype::bf16}};
  for (const auto& [number, dtype] : known)
    if (number == code) return dtype;
  return std::nullopt;
}

}  // namespace detail

/// A GGUF file, of version 2 or 3: "GGUF" and the version; how many tensors and how much metadata; the
/// metadata, (key, type, value) each; the tensors, (name, dims, type, offset) each; their data, each at a
/// multiple of the alignment.
///
/// Extents are given as tpx counts dims, the contiguous one last; the file has them the other way round.
///
/// @throws tpx::Error naming the file and the field where it is anything else
class Gguf : public TensorFile {
 public:
  explicit Gguf(const std::string& path) : TensorFile(path), file_(path) { parse(file_->bytes()); }
  /// What is in memory already, and stays there.
  Gguf(std::span<const std::byte> bytes, std::string name) : TensorFile(std::move(name)) { parse(bytes); }

  std::uint32_t version() const { return version_; }
  const std::map<std::string, GgufValue, std::less<>>& metadata() const { return metadata_; }

  /// The value of a key, or null.
  const GgufValue* find_value(std::string_view key) const {
    const auto at = metadata_.find(key);
    return at == metadata_.end() ? nullptr : &at->second;
  }
  /// @throws tpx::Error with the nearest keys where there is none of this one
  const GgufValue& value(std::string_view key) const {
    if (const GgufValue* found = find_value(key)) return *found;
    fail("tpx: '" + path() + "' has no metadata " + detail::quoted(key) +
         (metadata_.empty() ? ", and no other" : "; the nearest are " + detail::nearest(key, metadata_)));
  }

 private:
  void parse(std::span<const std::byte> bytes) {
    detail::GgufReader in(bytes, "tpx::Gguf: '" + path() + "': ");
    const auto magic = in.take(4, "the magic number");
    if (std::string_view(reinterpret_cast<const char*>(magic.data()), 4) != "GGUF")
      in.refuse("the magic number is not GGUF");
    version_ = in.number<std::uint32_t>("the version");
    if (version_ != 2 && version_ != 3)
      in.refuse("the version is " + std::to_string(version_) + "; known are 2 and 3, little-endian");
    const std::uint64_t tensors = in.count("the number of tensors", 24);
    const std::uint64_t values = in.count("the number of metadata values", 13);
    for (std::uint64_t i = 0; i < values; ++i) read_value(in);
    const std::uint64_t alignment = read_alignment(in);

    std::vector<std::pair<FileTensor, std::uint64_t>> entries;
    for (std::uint64_t i = 0; i < tensors; ++i) entries.push_back(read_entry(in));
    const std::uint64_t padding = padding_after(in.position(), alignment);
    if (tensors > 0) in.take(padding, "the padding before the data");
    const std::span<const std::byte> data = bytes.subspan(in.position());

    std::uint64_t end = 0;
    for (auto& [tensor, offset] : entries) {
      const std::string whose = " of tensor " + detail::quoted(tensor.name) + " ";
      end += padding_after(end, alignment);
      if (offset != end)
        in.refuse("the offset" + whose + "is " + std::to_string(offset) +
                  "; the data before it ends, aligned, at " + std::to_string(end));
      const std::optional<std::int64_t> size = detail::stored_bytes(tensor.dtype, tensor.shape);
      if (!size)
        in.refuse("the shape" + whose + "is not rows of whole blocks, or too large: " + tensor.describe());
      if (end > data.size() || static_cast<std::uint64_t>(*size) > data.size() - end)
        in.refuse("the data" + whose + "takes " + std::to_string(*size) + " bytes from byte " +
                  std::to_string(end) + " on; there are " + std::to_string(data.size()));
      tensor.bytes = data.subspan(static_cast<std::size_t>(end), static_cast<std::size_t>(*size));
      end += static_cast<std::uint64_t>(*size);
      const std::string name = detail::quoted(tensor.name);
      if (!add(std::move(tensor))) in.refuse("the name of tensor " + name + " is there twice");
    }
  }

  void read_value(detail::GgufReader& in) {
    const std::string_view key = in.text("a metadata key");
    const std::string name = "metadata " + detail::quoted(key);
    if (key.empty() || key.size() > std::numeric_limits<std::uint16_t>::max())
      in.refuse("the key of " + name + " has " + std::to_string(key.size()) + " bytes; it has 1 to 65535");
    const GgufType type = in.type("the type of " + name);
    if (!metadata_.emplace(key, GgufValue::read(in, type, key)).second) in.refuse(name + " is there twice");
  }

  std::uint64_t read_alignment(const detail::GgufReader& in) const {
    const GgufValue* given = find_value("general.alignment");
    if (given == nullptr) return 32;
    if (given->type() != GgufType::u32)
      in.refuse("metadata 'general.alignment' is of type " + given->describe() + "; expected u32");
    const std::int64_t alignment = given->integer();
    if (!std::has_single_bit(static_cast<std::uint64_t>(alignment)))
      in.refuse("metadata 'general.alignment' is " + std::to_string(alignment) + "; expected a power of two");
    return static_cast<std::uint64_t>(alignment);
  }

  static std::uint64_t padding_after(std::uint64_t end, std::uint64_t alignment) {
    return (alignment - end % alignment) % alignment;
  }

  static std::pair<FileTensor, std::uint64_t> read_entry(detail::GgufReader& in) {
    constexpr std::uint32_t most_dims = 4;
    constexpr std::size_t longest_name = 64;
    FileTensor tensor;
    const std::string_view name = in.text("the name of a tensor");
    const std::string whose = " of tensor " + detail::quoted(name) + " ";
    if (name.empty() || name.size() > longest_name)
      in.refuse("the name" + whose + "has " + std::to_string(name.size()) + " bytes; it has 1 to 64");
    tensor.name = name;
    const auto dims = in.number<std::uint32_t>("the number of dims" + whose);
    if (dims > most_dims)
      in.refuse("the number of dims" + whose + "is " + std::to_string(dims) + "; the most are 4");
    std::int64_t extents[most_dims] = {};
    for (std::uint32_t d = 0; d < dims; ++d) {
      const auto extent = in.number<std::uint64_t>("an extent" + whose);
      if (extent > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
        in.refuse("an extent" + whose + "is " + std::to_string(extent) + "; the most is 2^63 - 1");
      extents[d] = static_cast<std::int64_t>(extent);
    }
    for (std::uint32_t d = dims; d-- > 0;) tensor.shape.push_back(extents[d]);
    const auto code = in.number<std::uint32_t>("the type" + whose);
    const std::optional<Dtype> dtype = detail::gguf_dtype(code);
    if (!dtype)
      in.refuse("the type" + whose + "is number " + std::to_string(code) + ", which tpx does not read");
    tensor.dtype = *dtype;
    return {std::move(tensor), in.number<std::uint64_t>("the offset" + whose)};
  }

  std::optional<MappedFile> file_;
  std::uint32_t version_ = 0;
  std::map<std::string, GgufValue, std::less<>> metadata_;
};

}  // namespace tpx
