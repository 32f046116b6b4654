// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/bpe_merges.hpp>
#include <tpx/io/byte_level.hpp>
#include <tpx/io/pre_tokenizer.hpp>
#include <tpx/io/special_tokens.hpp>
#include <tpx/io/tensor_file.hpp>
#include <tpx/io/token_kind.hpp>
#include <tpx/io/utf8.hpp>

namespace tpx {

/// What a file says of a byte-level byte-pair encoding. Views are into the file.
struct BpeFields {
  std::string whose;                     ///< what a complaint about it begins with
  std::vector<std::string_view> tokens;  ///< byte-level, where they are text
  std::vector<TokenKind> kinds;          ///< of each token
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  std::vector<std::string> patterns;  ///< that cut a text into words
  bool whole_words = false;           ///< a word that is a token is that token, merges or not
  std::optional<std::int32_t> begin, end, unknown, padding;
  bool add_begin = false, add_end = false;
};

/// Byte-level byte-pair encoding, as in GPT-2, Llama 3 and SmolLM2: a text is cut into words, the bytes of each
/// are tokens, and neighbours are merged in the order in which the vocabulary was made.
///
/// @post   decode(encode(text)) is the text, where each of its bytes has a token
/// @throws tpx::Error naming the field where the file's fields contradict one another
class BpeTokenizer {
 public:
  explicit BpeTokenizer(const BpeFields& fields)
      : words_(fields.patterns),
        whole_words_(fields.whole_words),
        add_begin_(fields.add_begin),
        add_end_(fields.add_end),
        begin_(fields.begin),
        end_(fields.end),
        unknown_(fields.unknown),
        padding_(fields.padding) {
    const auto refuse = [&](const std::string& rule) { fail(fields.whose + rule); };
    if (fields.tokens.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
      refuse("it has more tokens than 31 bits count");
    if (fields.kinds.size() != fields.tokens.size())
      refuse("it has " + std::to_string(fields.tokens.size()) + " tokens and " +
             std::to_string(fields.kinds.size()) + " kinds of tokens");
    const std::unordered_map<std::string_view, std::int32_t> written = add_tokens(fields);
    add_merges(fields, written);
    const auto check = [&](const char* name, const std::optional<std::int32_t>& token) {
      if (token && (*token < 0 || *token >= size()))
        refuse(std::string("its ") + name + " token is " + std::to_string(*token) +
               "; it has the tokens 0 to " + std::to_string(size() - 1));
    };
    check("beginning", begin_);
    check("end", end_);
    check("unknown", unknown_);
    check("padding", padding_);
    if (add_begin_ && !begin_) refuse("it begins each text with a token and does not say which");
    if (add_end_ && !end_) refuse("it ends each text with a token and does not say which");
  }

  std::int32_t size() const { return static_cast<std::int32_t>(bytes_.size()); }
  /// The first token of a text, the last of an answer, padding; none where the file names none.
  std::optional<std::int32_t> begin() const { return begin_; }
  std::optional<std::int32_t> end() const { return end_; }
  std::optional<std::int32_t> padding() const { return padding_; }

  /// The token of this text, or none.
  std::optional<std::int32_t> find(std::string_view text) const {
    const auto at = ids_.find(std::string(text));
    return at == ids_.end() ? std::nullopt : std::optional(at->second);
  }
  /// What a token stands for, which alone need not be UTF-8.
  const std::string& bytes(std::int32_t token) const { return bytes_[checked(token)]; }
  TokenKind kind(std::int32_t token) const { return kinds_[checked(token)]; }

  /// The tokens of a text, without the first and last ones that some models want.
  ///
  /// A byte that the vocabulary has no token for is the unknown one.
  /// @throws tpx::Error where the text is not UTF-8, or has such a byte and there is no unknown token
  std::vector<std::int32_t> encode(std::string_view text,
                                   ControlTokens control = ControlTokens::as_text) const {
    detail::expect_utf8(text, "tpx::BpeTokenizer: the text ");
    std::vector<std::int32_t> tokens;
    (control == ControlTokens::parsed ? all_ : user_defined_)
        .split(
            text, [&](std::string_view part) { encode_words(part, tokens); },
            [&](std::int32_t token) { tokens.push_back(token); });
    return tokens;
  }
  /// The same with the first and last token that the file asks for.
  std::vector<std::int32_t> encode_prompt(std::string_view text,
                                          ControlTokens control = ControlTokens::as_text) const {
    std::vector<std::int32_t> tokens = encode(text, control);
    if (add_begin_) tokens.insert(tokens.begin(), *begin_);
    if (add_end_) tokens.push_back(*end_);
    return tokens;
  }

  /// The text of tokens; what is not UTF-8 in it is U+FFFD.
  /// @throws tpx::Error where a token is outside the vocabulary
  std::string decode(std::span<const std::int32_t> tokens,
                     ControlTokens control = ControlTokens::parsed) const {
    detail::Utf8Stream stream;
    std::string text;
    for (const std::int32_t token : tokens) {
      if (control == ControlTokens::as_text || kind(token) != TokenKind::control)
        text += stream.push(bytes(token));
    }
    return text + stream.finish();
  }

 private:
  std::unordered_map<std::string_view, std::int32_t> add_tokens(const BpeFields& fields) {
    std::unordered_map<std::string_view, std::int32_t> written;
    byte_tokens_.fill(-1);
    kinds_ = fields.kinds;
    bytes_.reserve(fields.tokens.size());
    for (std::size_t i = 0; i < fields.tokens.size(); ++i) {
      const std::string_view token = fields.tokens[i];
      const auto id = static_cast<std::int32_t>(i);
      const std::string which = "token " + std::to_string(i);
      if (token.empty()) fail(fields.whose + which + " is empty");
      detail::expect_utf8(token, fields.whose + which + " ");
      if (const auto [at, fresh] = written.emplace(token, id); !fresh)
        fail(fields.whose + which + " is " + detail::quoted(token) + ", as is token " +
             std::to_string(at->second));
      std::optional<std::string> bytes;
      if (kinds_[i] == TokenKind::text) bytes = detail::bytes_of_characters(token);
      bytes_.push_back(bytes.value_or(std::string(token)));
      ids_.emplace(bytes_.back(), id);
      if (bytes && bytes->size() == 1) byte_tokens_[static_cast<unsigned char>((*bytes)[0])] = id;
      if (kinds_[i] != TokenKind::text) all_.add(bytes_.back(), id);
      if (kinds_[i] == TokenKind::user_defined) user_defined_.add(bytes_.back(), id);
    }
    return written;
  }

  void add_merges(const BpeFields& fields, const std::unordered_map<std::string_view, std::int32_t>& written) {
    std::string both;
    for (std::size_t i = 0; i < fields.merges.size(); ++i) {
      const std::string_view left = fields.merges[i].first, right = fields.merges[i].second;
      const auto token = [&](std::string_view text) {
        const auto at = written.find(text);
        if (at == written.end())
          fail(fields.whose + "merge " + std::to_string(i) + " is " + detail::quoted(left) + " and " +
               detail::quoted(right) + "; there is no token " + detail::quoted(text));
        return at->second;
      };
      const std::int32_t left_token = token(left), right_token = token(right);
      both.assign(left).append(right);
      if (!merges_.add(left_token, right_token, token(both)))
        fail(fields.whose + "merge " + std::to_string(i) + " of " + detail::quoted(left) + " and " +
             detail::quoted(right) + " is there twice");
    }
  }

  std::size_t checked(std::int32_t token) const {
    if (token < 0 || token >= size())
      fail("tpx::BpeTokenizer: token " + std::to_string(token) + " is not in the vocabulary of 0 to " +
           std::to_string(size() - 1));
    return static_cast<std::size_t>(token);
  }

  void encode_words(std::string_view text, std::vector<std::int32_t>& tokens) const {
    std::vector<std::int32_t> parts;
    for (const std::string_view word : words_.split(text)) {
      if (whole_words_) {
        if (const auto token = find(word); token && kind(*token) == TokenKind::text) {
          tokens.push_back(*token);
          continue;
        }
      }
      parts.clear();
      for (const char c : word) parts.push_back(byte_token(static_cast<unsigned char>(c)));
      merges_.apply(parts);
      tokens.insert(tokens.end(), parts.begin(), parts.end());
    }
  }

  std::int32_t byte_token(unsigned char byte) const {
    if (byte_tokens_[byte] >= 0) return byte_tokens_[byte];
    if (!unknown_)
      fail("tpx::BpeTokenizer: the text has the byte " + std::to_string(byte) +
           ", which the vocabulary has no token for, and there is none for the unknown");
    return *unknown_;
  }

  std::vector<std::string> bytes_;
  std::vector<TokenKind> kinds_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::array<std::int32_t, 256> byte_tokens_{};
  detail::BpeMerges merges_;
  detail::SpecialTokens all_, user_defined_;
  detail::PreTokenizer words_;
  bool whole_words_, add_begin_, add_end_;
  std::optional<std::int32_t> begin_, end_, unknown_, padding_;
};

}  // namespace tpx
