// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/bpe_tokenizer.hpp>
#include <tpx/io/gguf.hpp>

namespace tpx {

namespace detail {

/// What GGUF's number of a kind of token stands for: 3 is control, 4 user-defined; 1 is text, and so is what
/// no text becomes, 2 unknown, 5 unused and 6 a byte of another kind of vocabulary.
inline std::optional<TokenKind> gguf_token_kind(std::int64_t number) {
  if (number < 1 || number > 6) return std::nullopt;
  return number == 3 ? TokenKind::control : number == 4 ? TokenKind::user_defined : TokenKind::text;
}

inline std::optional<std::int32_t> gguf_token(const Gguf& file, const char* key, const std::string& whose) {
  const GgufValue* value = file.find_value(key);
  if (value == nullptr) return std::nullopt;
  const std::int64_t token = value->integer();
  if (token < 0 || token > std::numeric_limits<std::int32_t>::max())
    fail(whose + "metadata '" + key + "' is " + std::to_string(token) + ", which is no token");
  return static_cast<std::int32_t>(token);
}

inline bool gguf_flag(const Gguf& file, const char* key) {
  const GgufValue* value = file.find_value(key);
  return value != nullptr && value->boolean();
}

}  // namespace detail

/// What the metadata tokenizer.ggml.* of a GGUF file says, where the model of its tokenizer is gpt2.
///
/// @throws tpx::Error naming the file and the key
inline BpeFields bpe_fields(const Gguf& file) {
  BpeFields fields;
  fields.whose = "tpx::BpeTokenizer: '" + file.path() + "': ";
  const std::string_view model = file.value("tokenizer.ggml.model").text();
  if (model != "gpt2")
    fail(fields.whose + "metadata 'tokenizer.ggml.model' is " + detail::quoted(model) + "; known is 'gpt2'");
  const std::string_view pre = file.value("tokenizer.ggml.pre").text();
  fields.patterns = detail::patterns_of(pre);
  if (fields.patterns.empty())
    fail(fields.whose + "metadata 'tokenizer.ggml.pre' is " + detail::quoted(pre) +
         "; known are gpt-2, smollm, llama-bpe, qwen2, starcoder, refact, command-r and codeshell");
  fields.whole_words = fields.patterns[0] == detail::llama3_words;

  fields.tokens = file.value("tokenizer.ggml.tokens").texts();
  for (const std::int64_t number : file.value("tokenizer.ggml.token_type").integers()) {
    const std::optional<TokenKind> kind = detail::gguf_token_kind(number);
    if (!kind)
      fail(fields.whose + "metadata 'tokenizer.ggml.token_type' has " + std::to_string(number) +
           "; known are 1 to 6");
    fields.kinds.push_back(*kind);
  }
  for (const std::string_view merge : file.value("tokenizer.ggml.merges").texts()) {
    // The characters of a token are none that cannot be seen, so that the one space stands between two.
    const std::size_t space = merge.find(' ');
    if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos)
      fail(fields.whose + "metadata 'tokenizer.ggml.merges' has " + detail::quoted(merge) +
           ", which is not two tokens with a space between them");
    fields.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }

  fields.begin = detail::gguf_token(file, "tokenizer.ggml.bos_token_id", fields.whose);
  fields.end = detail::gguf_token(file, "tokenizer.ggml.eos_token_id", fields.whose);
  fields.unknown = detail::gguf_token(file, "tokenizer.ggml.unknown_token_id", fields.whose);
  fields.padding = detail::gguf_token(file, "tokenizer.ggml.padding_token_id", fields.whose);
  fields.add_begin = detail::gguf_flag(file, "tokenizer.ggml.add_bos_token");
  fields.add_end = detail::gguf_flag(file, "tokenizer.ggml.add_eos_token");
  if (detail::gguf_flag(file, "tokenizer.ggml.add_space_prefix"))
    fail(fields.whose + "metadata 'tokenizer.ggml.add_space_prefix' is true, which is not known of 'gpt2'");
  return fields;
}

/// The tokenizer of a GGUF file; it holds on to nothing of the file.
inline BpeTokenizer bpe_tokenizer(const Gguf& file) { return BpeTokenizer(bpe_fields(file)); }

}  // namespace tpx
