// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tpx/io/gguf.hpp>
#include <tpx/nn/file_weights.hpp>

/// What the files of all families have in common.
namespace tpx::detail {

/// The first of these names that the file has, or the first of all, of which a complaint will speak.
inline std::string present(const TensorFile& file, std::initializer_list<std::string> names) {
  for (const std::string& name : names)
    if (file.find(name) != nullptr) return name;
  return *names.begin();
}

/// Whether the name ends so.
inline bool ends_with(std::string_view name, std::string_view end) {
  return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
}

/// `name` with every `from` of the pairs replaced by its `to`, the first that is found first.
inline std::string renamed(std::string name,
                           std::initializer_list<std::pair<std::string_view, std::string_view>> changes) {
  for (const auto& [from, to] : changes)
    if (const std::size_t at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
  return name;
}

/// Metadata of an architecture: "llama.block_count".
class GgufSettings {
 public:
  explicit GgufSettings(const Gguf& file) : file_(file), architecture_(text("general.architecture")) {}

  const std::string& architecture() const { return architecture_; }

  std::int64_t integer(const std::string& key, std::optional<std::int64_t> otherwise = {}) const {
    const GgufValue* value = file_.find_value(architecture_ + "." + key);
    return value == nullptr && otherwise ? *otherwise : at(architecture_ + "." + key, value).integer();
  }
  double real(const std::string& key, std::optional<double> otherwise = {}) const {
    const GgufValue* value = file_.find_value(architecture_ + "." + key);
    return value == nullptr && otherwise ? *otherwise : at(architecture_ + "." + key, value).real();
  }

 private:
  std::string text(const std::string& key) const { return std::string(at(key, file_.find_value(key)).text()); }
  const GgufValue& at(const std::string& key, const GgufValue* value) const {
    if (value == nullptr) fail("tpx: '" + file_.path() + "' has no metadata " + detail::quoted(key));
    return *value;
  }

  const Gguf& file_;
  std::string architecture_;
};

}  // namespace tpx::detail
