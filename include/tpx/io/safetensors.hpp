// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#if !__has_include(<nlohmann/json.hpp>)
#error "tpx/io/safetensors.hpp: a header of a safetensors file is JSON: install nlohmann-json, and link tpx::io"
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tpx/core/error.hpp>
#include <tpx/io/mapped_file.hpp>
#include <tpx/io/tensor_file.hpp>

namespace tpx {

/// A safetensors file: 8 bytes, the length of the header; the header, a JSON object of a member
/// {"dtype", "shape", "data_offsets"} for each tensor and perhaps "__metadata__", an object of strings; the
/// tensors, without gaps.
///
/// @throws tpx::Error naming the file and the field where it is anything else
class Safetensors : public TensorFile {
 public:
  explicit Safetensors(const std::string& path) : TensorFile(path), file_(path) { parse(file_->bytes()); }
  /// What is in memory already, and stays there.
  Safetensors(std::span<const std::byte> bytes, std::string name) : TensorFile(std::move(name)) {
    parse(bytes);
  }

  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  using Json = nlohmann::json;

  [[noreturn]] void refuse(const std::string& rule) const {
    fail("tpx::Safetensors: '" + path() + "': " + rule);
  }

  void parse(std::span<const std::byte> bytes) {
    constexpr std::uint64_t largest_header = 100'000'000;
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length)
      refuse("the file is shorter than the 8 bytes that say how long its header is");
    std::memcpy(&length, bytes.data(), sizeof length);
    const std::span<const std::byte> rest = bytes.subspan(sizeof length);
    if (length > largest_header || length > rest.size()) {
      refuse("the header's length is given as " + std::to_string(length) + " bytes; there are " +
             std::to_string(rest.size()) + ", and " + std::to_string(largest_header) + " are the most");
    }
    const auto header = rest.first(static_cast<std::size_t>(length));
    if (header.empty() || header.front() != std::byte{'{'}) refuse("the header does not start with '{'");
    const std::span<const std::byte> data = rest.subspan(header.size());
    const Json members = json(std::string_view(reinterpret_cast<const char*>(header.data()), header.size()));
    for (const auto& [name, member] : members.items()) {
      if (name == "__metadata__") {
        read_metadata(member);
      } else {
        add(tensor(name, member, data));  // a name that is there twice was refused with the JSON
      }
    }
    order_by_place();
    std::size_t end = 0;
    for (const FileTensor& t : tensors()) {
      const auto begin = static_cast<std::size_t>(t.bytes.data() - data.data());
      if (begin != end) {
        refuse("data_offsets of tensor " + detail::quoted(t.name) + " begin at " + std::to_string(begin) +
               (begin < end ? ", inside the tensor before it, which ends at "
                            : "; the tensors before it end at ") +
               std::to_string(end));
      }
      end += t.bytes.size();
    }
    if (end != data.size())
      refuse("the tensors end at byte " + std::to_string(end) + " of the " + std::to_string(data.size()) +
             " that follow the header");
  }

  /// Refuses what costs memory out of proportion, or would get lost: depth, and keys that are there twice.
  Json json(std::string_view text) const {
    constexpr int deepest = 2;  // the object, a tensor, its shape
    std::vector<std::set<std::string>> keys;
    const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
      if ((event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) &&
          depth > deepest)
        refuse("the header nests deeper than a tensor's shape");
      if (event == Json::parse_event_t::object_start) keys.emplace_back();
      if (event == Json::parse_event_t::object_end) keys.pop_back();
      if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
        refuse("the header has " + detail::quoted(parsed.get_ref<const std::string&>()) + " twice");
      return true;
    };
    try {
      return Json::parse(text.begin(), text.end(), check);
    } catch (const Json::exception& e) {
      // What it says quotes the header, which may be long.
      refuse("the header is not JSON: " + std::string(e.what()).substr(0, 200));
    }
  }

  void read_metadata(const Json& member) {
    if (!member.is_object()) refuse("__metadata__ is not an object");
    for (const auto& [key, value] : member.items()) {
      if (!value.is_string()) refuse("__metadata__ " + detail::quoted(key) + " is not a string");
      metadata_.emplace(key, value.get<std::string>());
    }
  }

  FileTensor tensor(const std::string& name, const Json& member, std::span<const std::byte> data) const {
    const std::string whose = " of tensor " + detail::quoted(name) + " ";
    if (!member.is_object()) refuse("the entry" + whose + "is not an object");
    for (const auto& [key, value] : member.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets")
        refuse("the entry" + whose + "has an unknown field " + detail::quoted(key));
    }
    const auto field = [&](const char* key) -> const Json& {
      const auto at = member.find(key);
      if (at == member.end()) refuse("the entry" + whose + "has no " + key);
      return *at;
    };
    FileTensor tensor;
    tensor.name = name;
    tensor.dtype = dtype(field("dtype"), whose);

    const Json& shape = field("shape");
    if (!shape.is_array()) refuse("shape" + whose + "is not an array");
    if (shape.size() > Spec::max_dims)
      refuse("shape" + whose + "has " + std::to_string(shape.size()) + " dims; the most are " +
             std::to_string(Spec::max_dims));
    for (const Json& extent : shape) tensor.shape.push_back(integer(extent, "shape" + whose));
    const std::optional<std::int64_t> size = detail::stored_bytes(tensor.dtype, tensor.shape);
    if (!size) refuse("shape" + whose + "has more elements than 63 bits count");

    const Json& offsets = field("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2) refuse("data_offsets" + whose + "are not an array of two");
    const std::int64_t begin = integer(offsets[0], "data_offsets" + whose);
    const std::int64_t end = integer(offsets[1], "data_offsets" + whose);
    const std::string range = "[" + std::to_string(begin) + ", " + std::to_string(end) + "]";
    if (begin > end || static_cast<std::uint64_t>(end) > data.size())
      refuse("data_offsets" + whose + "are " + range + "; the data has " + std::to_string(data.size()) +
             " bytes");
    if (end - begin != *size)
      refuse("data_offsets" + whose + "are " + range + "; " + tensor.describe() + " has " +
             std::to_string(*size) + " bytes");
    tensor.bytes = data.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(*size));
    return tensor;
  }

  Dtype dtype(const Json& value, const std::string& whose) const {
    if (!value.is_string()) refuse("dtype" + whose + "is not a string");
    std::string known;
    for (int i = 0; i <= static_cast<int>(Dtype::boolean); ++i) {
      const auto candidate = static_cast<Dtype>(i);
      if (value.get_ref<const std::string&>() == format_of(candidate).name) return candidate;
      known += std::string(" ") + format_of(candidate).name;
    }
    refuse("dtype" + whose + "is " + detail::quoted(value.get_ref<const std::string&>()) + "; known:" + known);
  }

  std::int64_t integer(const Json& value, const std::string& what) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
      refuse(what + "has a number that is not in 0, ..., 2^63 - 1");
    return value.get<std::int64_t>();
  }

  std::optional<MappedFile> file_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace tpx
