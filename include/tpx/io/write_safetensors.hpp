// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tpx/core/element.hpp>
#include <tpx/core/error.hpp>
#include <tpx/io/safetensors.hpp>
#include <tpx/io/tensor_file.hpp>

namespace tpx {

namespace detail {

template <class T>
constexpr Dtype dtype_of() {
  switch (element_v<T>) {
    case Element::f64:
      return Dtype::f64;
    case Element::i32:
      return Dtype::i32;
    case Element::i64:
      return Dtype::i64;
    case Element::u8:
      return Dtype::u8;
    case Element::bf16:
      return Dtype::bf16;
    case Element::f32:
      break;
  }
  return Dtype::f32;
}

/// The bytes in front of the tensors: the header's length and the header, padded so that the data is aligned.
inline std::string safetensors_header(const std::string& path, std::span<const FileTensor> tensors,
                                      const std::map<std::string, std::string>& metadata) {
  using Json = nlohmann::json;
  try {
    std::string text = "{";
    if (!metadata.empty()) text += "\"__metadata__\":" + Json(metadata).dump();
    std::int64_t begin = 0;
    for (const FileTensor& t : tensors) {
      const std::int64_t end = begin + static_cast<std::int64_t>(t.bytes.size());
      Json shape = Json::array();
      for (int d = 0; d < t.shape.ndim(); ++d) shape.push_back(t.shape[d]);
      if (text.size() > 1) text += ',';
      text += Json(t.name).dump() + ":{\"dtype\":\"" + format_of(t.dtype).name +
              "\",\"shape\":" + shape.dump() + ",\"data_offsets\":" + Json{begin, end}.dump() + '}';
      begin = end;
    }
    text += '}';
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const auto length = static_cast<std::uint64_t>(text.size());
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
  } catch (const Json::exception& e) {
    fail("tpx::write_safetensors: '" + path + "': a name or metadata is not UTF-8: " + e.what());
  }
}

}  // namespace detail

/// Names values in memory as a tensor to write; they stay where they are.  @pre values.size() is the shape's
template <class T>
FileTensor file_tensor(std::string name, const Shape& shape, std::span<const T> values) {
  TPX_EXPECTS(static_cast<std::int64_t>(values.size()) == shape.count(), name, values.size(), shape.count());
  return {std::move(name), detail::dtype_of<T>(), shape, std::as_bytes(values)};
}

/// Writes a safetensors file: tensors of the largest elements first, so that all are aligned, then by name.
///
/// @pre    no two names are the same, none is "__metadata__", no tensor is quantised; each has its shape's
///         bytes
/// @post   Safetensors(path) has these tensors and metadata. A file that was there is replaced at the end,
///         at once: until then it is as it was
/// @comm   none: one rank writes
/// @throws tpx::Error naming the tensor, or with the system's words
inline void write_safetensors(const std::string& path, std::vector<FileTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::sort(tensors.begin(), tensors.end(), [](const FileTensor& a, const FileTensor& b) {
    return std::pair(-format_of(a.dtype).bytes, std::string_view(a.name)) <
           std::pair(-format_of(b.dtype).bytes, std::string_view(b.name));
  });
  std::set<std::string_view> names;
  for (const FileTensor& t : tensors) {
    const auto refuse = [&](const char* rule) {
      fail("tpx::write_safetensors: '" + path + "': tensor " + detail::quoted(t.name) + " " + rule);
    };
    if (!names.insert(t.name).second) refuse("is there twice");
    if (t.name == "__metadata__") refuse("has the name that the format keeps for metadata");
    if (format_of(t.dtype).block != 1) refuse("is quantised, which the format has no name for");
    if (detail::stored_bytes(t.dtype, t.shape) != static_cast<std::int64_t>(t.bytes.size()))
      refuse("has another number of bytes than its shape");
  }
  const std::string header = detail::safetensors_header(path, tensors, metadata);

  const std::string part = path + ".part";
  errno = 0;
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  const bool opened = out.is_open();
  const auto check = [&](bool good) {
    if (good) return;
    const int error = errno;
    if (opened) std::remove(part.c_str());
    fail("tpx::write_safetensors: '" + path + "' cannot be written: " + std::generic_category().message(error));
  };
  check(opened);
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  for (const FileTensor& t : tensors)
    out.write(reinterpret_cast<const char*>(t.bytes.data()), static_cast<std::streamsize>(t.bytes.size()));
  out.close();
  check(out.good());
  check(std::rename(part.c_str(), path.c_str()) == 0);
}

}  // namespace tpx
