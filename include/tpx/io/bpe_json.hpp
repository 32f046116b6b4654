// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/io/bpe_tokenizer.hpp>
#include <tpx/io/pre_tokenizer.hpp>
#include <tpx/io/tokenizer_json.hpp>

namespace tpx {

namespace detail {

/// The patterns of a pre-tokenizer; true where one of its parts turns text into bytes.
inline bool add_patterns(const TokenizerJson& file, const nlohmann::json& part,
                         std::vector<std::string>& patterns) {
  const std::string_view type = file.text(part, "type");
  if (type == "Sequence") {
    bool to_bytes = false;
    for (const nlohmann::json& inner : file.list(part, "pretokenizers"))
      to_bytes = add_patterns(file, inner, patterns) || to_bytes;
    return to_bytes;
  }
  if (type == "ByteLevel") {
    if (file.flag(part, "add_prefix_space", true))
      file.refuse("add_prefix_space of its pre_tokenizer is true; known is false");
    if (file.flag(part, "use_regex", true)) patterns.emplace_back(gpt2_words);
    return true;
  }
  if (type == "Digits") {
    patterns.emplace_back(file.flag(part, "individual_digits", false) ? each_digit : all_digits);
    return false;
  }
  if (type != "Split")
    file.refuse("its pre_tokenizer is " + quoted(type) + "; known are Sequence, ByteLevel, Digits and Split");
  if (file.text(part, "behavior") != "Isolated" || file.flag(part, "invert", false))
    file.refuse("its pre_tokenizer splits in a way that is not known: " + quoted(file.text(part, "behavior")));
  const nlohmann::json& pattern = file.member(part, "pattern");
  if (pattern.contains("String")) {
    const std::string_view text = file.text(pattern, "String");
    if (text.find("\\E") != std::string_view::npos) file.refuse("its pre_tokenizer splits at " + quoted(text));
    patterns.push_back("\\Q" + std::string(text) + "\\E");
  } else {
    patterns.emplace_back(file.text(pattern, "Regex"));
  }
  return false;
}

/// The tokens that a post-processor puts around a text.
inline void add_ends(const TokenizerJson& file, const nlohmann::json& part, BpeFields& fields) {
  if (part.empty()) return;
  const std::string_view type = file.text(part, "type");
  if (type == "ByteLevel") return;  // it moves offsets, which are not asked for
  if (type == "Sequence") {
    for (const nlohmann::json& inner : file.list(part, "processors")) add_ends(file, inner, fields);
    return;
  }
  if (type != "TemplateProcessing")
    file.refuse("its post_processor is " + quoted(type) +
                "; known are Sequence, ByteLevel and TemplateProcessing");
  bool after = false;
  for (const nlohmann::json& piece : file.list(part, "single")) {
    if (piece.contains("Sequence")) {
      after = true;
      continue;
    }
    const std::string_view name = file.text(file.member(piece, "SpecialToken"), "id");
    const auto at = std::ranges::find(fields.tokens, name);
    if (at == fields.tokens.end())
      file.refuse("its post_processor adds " + quoted(name) + ", which is no token");
    if (after ? fields.add_end : fields.add_begin)
      file.refuse("its post_processor adds two tokens at one end of a text; known is one");
    (after ? fields.add_end : fields.add_begin) = true;
    (after ? fields.end : fields.begin) = static_cast<std::int32_t>(at - fields.tokens.begin());
  }
}

}  // namespace detail

/// What a tokenizer.json says whose model is a byte-level BPE, as GPT-2's, Llama 3's or Qwen2's.
///
/// Such a file may want its texts in Unicode's form NFC. They are taken as they are: texts are, but for rare
/// exceptions.
/// @throws tpx::Error naming the file and the field
inline BpeFields bpe_fields(const TokenizerJson& file) {
  BpeFields fields;
  fields.whose = file.whose();
  const nlohmann::json& model = file.member("model");
  if (file.text(model, "type") != "BPE")
    file.refuse("type of its model is " + detail::quoted(file.text(model, "type")) + "; known is 'BPE'");
  for (const char* name : {"byte_fallback", "fuse_unk"})
    if (file.flag(model, name, false)) file.refuse(std::string(name) + " of its model is true; known is false");
  for (const char* name : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto& value = file.member(model, name); !value.empty() && value != "")
      file.refuse(std::string(name) + " of its model is there; known is null");
  if (const auto& normalizer = file.member("normalizer");
      !normalizer.empty() && file.text(normalizer, "type") != "NFC")
    file.refuse("its normalizer is " + detail::quoted(file.text(normalizer, "type")) +
                "; known are null and 'NFC'");
  if (!detail::add_patterns(file, file.member("pre_tokenizer"), fields.patterns))
    file.refuse("its pre_tokenizer has no ByteLevel: the tokens are not bytes");

  fields.tokens = file.tokens();
  fields.kinds = file.kinds();
  fields.whole_words = file.flag(model, "ignore_merges", false);
  for (const nlohmann::json& merge : file.list(model, "merges")) {
    const auto text = [&](std::size_t i) -> std::string_view {
      if (!merge[i].is_string()) file.refuse("merges has an entry that is not two strings");
      return merge[i].get_ref<const std::string&>();
    };
    if (merge.is_array() && merge.size() == 2) {
      fields.merges.emplace_back(text(0), text(1));
    } else {
      // Files of before 2024 have the two in one string.
      const std::string_view both =
          merge.is_string() ? merge.get_ref<const std::string&>() : std::string_view();
      const std::size_t space = both.find(' ');
      if (space == std::string_view::npos) file.refuse("merges has an entry that is not two tokens");
      fields.merges.emplace_back(both.substr(0, space), both.substr(space + 1));
    }
  }
  if (const auto& unknown = file.member(model, "unk_token"); unknown.is_string()) {
    const auto at = std::ranges::find(fields.tokens, unknown.get_ref<const std::string&>());
    if (at == fields.tokens.end()) file.refuse("unk_token of its model is no token");
    fields.unknown = static_cast<std::int32_t>(at - fields.tokens.begin());
  }
  detail::add_ends(file, file.member("post_processor"), fields);
  return fields;
}

/// The tokenizer of a tokenizer.json; it holds on to nothing of the file.
///
/// @param end  the text of the token that ends an answer, which is written in another file,
///             generation_config.json or tokenizer_config.json; none: that is not known
inline BpeTokenizer bpe_tokenizer(const TokenizerJson& file, std::optional<std::string_view> end = {}) {
  BpeFields fields = bpe_fields(file);
  if (end) {
    const auto at = std::ranges::find(fields.tokens, *end);
    if (at == fields.tokens.end())
      file.refuse("there is no token " + detail::quoted(*end) + " to end an answer");
    fields.end = static_cast<std::int32_t>(at - fields.tokens.begin());
  }
  return BpeTokenizer(fields);
}

}  // namespace tpx
