// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tpx/core/error.hpp>
#include <tpx/io/mapped_file.hpp>
#include <tpx/io/tensor_file.hpp>

namespace tpx {

/// The config.json beside a model's safetensors: settings by name, where "a.b" is the member b of the object a.
///
/// @throws tpx::Error naming the file and the setting where it is missing, or not of the kind that is asked for
class ModelSettings {
 public:
  explicit ModelSettings(const std::string& path) : path_(path) {
    const MappedFile file(path);
    const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
    constexpr std::size_t largest = 1 << 20;
    if (text.size() > largest) refuse("is longer than the settings of a model are");
    try {
      values_ = nlohmann::json::parse(text.begin(), text.end(), [&](int depth, auto, auto&) {
        if (depth > deepest) refuse("nests deeper than the settings of a model do");
        return true;
      });
    } catch (const nlohmann::json::exception& e) {
      refuse("is not JSON: " + std::string(e.what()).substr(0, 200));
    }
    if (!values_.is_object()) refuse("is not an object");
  }

  const std::string& path() const { return path_; }
  /// Whether the setting is there, and not null.
  bool has(std::string_view name) const { return find(name) != nullptr; }

  std::int64_t integer(std::string_view name, std::optional<std::int64_t> otherwise = {}) const {
    const nlohmann::json* value = find(name);
    if (value == nullptr && otherwise) return *otherwise;
    if (!at(name, value).is_number_integer() ||
        (value->is_number_unsigned() && value->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()))
      refuse("has no integer as " + detail::quoted(name));
    return value->get<std::int64_t>();
  }
  double real(std::string_view name, std::optional<double> otherwise = {}) const {
    const nlohmann::json* value = find(name);
    if (value == nullptr && otherwise) return *otherwise;
    if (!at(name, value).is_number()) refuse("has no number as " + detail::quoted(name));
    return value->get<double>();
  }
  bool truth(std::string_view name, std::optional<bool> otherwise = {}) const {
    const nlohmann::json* value = find(name);
    if (value == nullptr && otherwise) return *otherwise;
    if (!at(name, value).is_boolean()) refuse("has neither true nor false as " + detail::quoted(name));
    return value->get<bool>();
  }
  std::string text(std::string_view name, std::optional<std::string> otherwise = {}) const {
    const nlohmann::json* value = find(name);
    if (value == nullptr && otherwise) return *otherwise;
    if (!at(name, value).is_string()) refuse("has no string as " + detail::quoted(name));
    return value->get<std::string>();
  }

 private:
  static constexpr int deepest = 16;

  [[noreturn]] void refuse(const std::string& rule) const {
    fail("tpx::ModelSettings: '" + path_ + "' " + rule);
  }

  const nlohmann::json* find(std::string_view name) const {
    const nlohmann::json* value = &values_;
    for (;;) {
      const std::size_t dot = name.find('.');
      const auto member = value->is_object() ? value->find(std::string(name.substr(0, dot))) : value->end();
      if (member == value->end() || member->is_null()) return nullptr;
      value = &*member;
      if (dot == std::string_view::npos) return value;
      name.remove_prefix(dot + 1);
    }
  }
  const nlohmann::json& at(std::string_view name, const nlohmann::json* value) const {
    if (value == nullptr) refuse("has no setting " + detail::quoted(name));
    return *value;
  }

  std::string path_;
  nlohmann::json values_;
};

}  // namespace tpx
