// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tpx/io/tokenizer_json.hpp>
#include <tpx/io/wordpiece_tokenizer.hpp>

namespace tpx {

/// What a tokenizer.json says whose model is WordPiece, as BERT's.
///
/// @throws tpx::Error naming the file and the field
inline WordPieceFields wordpiece_fields(const TokenizerJson& file) {
  const auto& model = file.member("model");
  const auto expect = [&](const nlohmann::json& of, const char* field, std::string_view known) {
    const std::string_view is = file.text(of, field);
    if (is != known)
      file.refuse(std::string(field) + " is " + detail::quoted(is) + "; known is " + detail::quoted(known));
  };
  expect(model, "type", "WordPiece");
  expect(model, "continuing_subword_prefix", "##");
  expect(file.member("pre_tokenizer"), "type", "BertPreTokenizer");
  const auto& normalizer = file.member("normalizer");
  expect(normalizer, "type", "BertNormalizer");

  WordPieceFields fields;
  fields.whose = file.whose();
  fields.tokens = file.tokens();
  fields.kinds = file.kinds();
  fields.lower_case = file.flag(normalizer, "lowercase", true);
  fields.split_chinese = file.flag(normalizer, "handle_chinese_chars", true);
  if (!file.flag(normalizer, "clean_text", true) ||
      file.flag(normalizer, "strip_accents", fields.lower_case) != fields.lower_case)
    file.refuse("clean_text is to be true, and strip_accents as lowercase: nothing else is known");
  if (const auto& longest = file.member(model, "max_input_chars_per_word"); longest.is_number_unsigned())
    fields.longest_word = longest.get<std::size_t>();
  const auto token = [&](std::string_view text) {
    const auto at = std::ranges::find(fields.tokens, text);
    if (at == fields.tokens.end()) file.refuse("there is no token " + detail::quoted(text));
    return static_cast<std::int32_t>(at - fields.tokens.begin());
  };
  fields.unknown = token(file.text(model, "unk_token"));
  fields.begin = token("[CLS]");
  fields.end = token("[SEP]");
  fields.padding = token("[PAD]");
  return fields;
}

/// The tokenizer of a tokenizer.json; it holds on to nothing of the file.
inline WordPieceTokenizer wordpiece_tokenizer(const TokenizerJson& file) {
  return WordPieceTokenizer(wordpiece_fields(file));
}

}  // namespace tpx
