// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tpx/core/error.hpp>
#include <tpx/io/mapped_file.hpp>
#include <tpx/io/tensor_file.hpp>
#include <tpx/io/token_kind.hpp>

namespace tpx {

/// The tokenizer.json that lies beside a model's safetensors.
///
/// @throws tpx::Error naming the file and the field where it is anything else
class TokenizerJson {
 public:
  using Json = nlohmann::json;

  explicit TokenizerJson(const std::string& path) : path_(path) {
    const MappedFile file(path);
    parse({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
  }
  /// What is in memory already.
  TokenizerJson(std::string_view text, std::string name) : path_(std::move(name)) { parse(text); }
  TokenizerJson(const TokenizerJson&) = delete;  // of which the tokens would be the other's
  TokenizerJson& operator=(const TokenizerJson&) = delete;

  /// What a complaint begins with.
  std::string whose() const { return "tpx::TokenizerJson: '" + path_ + "': "; }
  [[noreturn]] void refuse(const std::string& rule) const { fail(whose() + rule); }

  /// The members of the file by name, an empty object where there is none or it is null.
  const Json& member(const Json& of, const char* name) const {
    static const Json nothing = Json::object();
    const auto at = of.is_object() ? of.find(name) : of.end();
    return at == of.end() || at->is_null() ? nothing : *at;
  }
  const Json& member(const char* name) const { return member(root_, name); }

  std::string_view text(const Json& of, const char* name) const {
    const Json& value = member(of, name);
    if (!value.is_string()) refuse(std::string(name) + " is not a string");
    return value.get_ref<const std::string&>();
  }
  bool flag(const Json& of, const char* name, bool otherwise) const {
    const Json& value = member(of, name);
    if (value.is_object() && value.empty()) return otherwise;
    if (!value.is_boolean()) refuse(std::string(name) + " is neither true nor false");
    return value.get<bool>();
  }
  const Json& list(const Json& of, const char* name) const {
    const Json& value = member(of, name);
    if (!value.is_array()) refuse(std::string(name) + " is not an array");
    return value;
  }
  std::int32_t token(const Json& value, const std::string& whose_token) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= tokens_.size())
      refuse(whose_token + " has no number in 0, ..., " + std::to_string(tokens_.size()) + " - 1");
    return value.get<std::int32_t>();
  }

  /// The vocabulary with the tokens that were added to it, by number, and what each is for.
  const std::vector<std::string_view>& tokens() const { return tokens_; }
  const std::vector<TokenKind>& kinds() const { return kinds_; }

 private:
  void parse(std::string_view text) {
    constexpr int deepest = 16;
    try {
      root_ = Json::parse(text.begin(), text.end(), [&](int depth, Json::parse_event_t, Json&) {
        if (depth > deepest) refuse("it nests deeper than a tokenizer does");
        return true;
      });
    } catch (const Json::exception& e) {
      refuse("it is not JSON: " + std::string(e.what()).substr(0, 200));
    }
    const Json& vocabulary = member(member("model"), "vocab");
    if (!vocabulary.is_object() || vocabulary.empty())
      refuse("vocab of its model is not an object with tokens");
    std::size_t count = vocabulary.size();
    const Json& added = list(root_, "added_tokens");
    for (const Json& entry : added) count += vocabulary.contains(text_of(entry)) ? 0 : 1;
    tokens_.resize(count);
    kinds_.resize(count);
    for (const auto& [token, number] : vocabulary.items()) place(token, number, TokenKind::text);
    for (const Json& entry : added) {
      for (const char* name : {"single_word", "lstrip", "rstrip"})
        if (flag(entry, name, false))
          refuse("the added token " + detail::quoted(text_of(entry)) +
                 " is to be looked for in a way that is not "
                 "known: " +
                 name);
      place(text_of(entry), member(entry, "id"),
            flag(entry, "special", false) ? TokenKind::control : TokenKind::user_defined);
    }
  }

  const std::string& text_of(const Json& added) const {
    text(added, "content");
    return added.find("content")->get_ref<const std::string&>();
  }

  void place(const std::string& text, const Json& number, TokenKind kind) {
    const std::string which = "the token " + detail::quoted(text);
    std::string_view& at = tokens_[static_cast<std::size_t>(token(number, which))];
    if (!at.empty() && at != text) refuse(which + " has the number of " + detail::quoted(at));
    at = text;
    kinds_[static_cast<std::size_t>(number.get<std::int32_t>())] = kind;
  }

  std::string path_;
  Json root_;
  std::vector<std::string_view> tokens_;  // in root_
  std::vector<TokenKind> kinds_;
};

}  // namespace tpx
