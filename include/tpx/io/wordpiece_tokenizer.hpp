// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/fold.hpp>
#include <tpx/io/regex.hpp>
#include <tpx/io/special_tokens.hpp>
#include <tpx/io/token_kind.hpp>
#include <tpx/io/utf8.hpp>

namespace tpx {

/// What a file says of a WordPiece vocabulary. Views are into the file.
struct WordPieceFields {
  std::string whose;                     ///< what a complaint about it begins with
  std::vector<std::string_view> tokens;  ///< words, and ends of words behind "##"
  std::vector<TokenKind> kinds;          ///< of each token
  std::int32_t begin = 0, end = 0, unknown = 0, padding = 0;
  bool lower_case = true;          ///< and without accents
  bool split_chinese = true;       ///< each Chinese character is a word
  std::size_t longest_word = 100;  ///< in characters; a longer one is unknown
};

/// The tokenizer of BERT: a text is cut into words and marks of punctuation, and each word into the longest
/// tokens from left to right.
///
/// @throws tpx::Error naming the field where the file's fields contradict one another
class WordPieceTokenizer {
 public:
  explicit WordPieceTokenizer(const WordPieceFields& fields)
      : begin_(fields.begin),
        end_(fields.end),
        unknown_(fields.unknown),
        padding_(fields.padding),
        lower_case_(fields.lower_case),
        split_chinese_(fields.split_chinese),
        longest_word_(fields.longest_word) {
    if (fields.tokens.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) ||
        fields.kinds.size() != fields.tokens.size())
      fail(fields.whose + "it has " + std::to_string(fields.tokens.size()) + " tokens and " +
           std::to_string(fields.kinds.size()) + " kinds of tokens");
    kinds_ = fields.kinds;
    for (std::size_t i = 0; i < fields.tokens.size(); ++i) {
      const std::string which = "token " + std::to_string(i);
      if (fields.tokens[i].empty()) fail(fields.whose + which + " is empty");
      detail::expect_utf8(fields.tokens[i], fields.whose + which + " ");
      const auto id = static_cast<std::int32_t>(i);
      texts_.emplace_back(fields.tokens[i]);
      if (const auto [at, fresh] = ids_.emplace(texts_.back(), id); !fresh)
        fail(fields.whose + which + " is " + detail::quoted(texts_.back()) + ", as is token " +
             std::to_string(at->second));
      if (kinds_[i] != TokenKind::text) special_.add(texts_.back(), id);
    }
    for (const std::int32_t token : {begin_, end_, unknown_, padding_})
      if (token < 0 || token >= size())
        fail(fields.whose + "token " + std::to_string(token) + " has a meaning; there are the tokens 0 to " +
             std::to_string(size() - 1));
  }

  std::int32_t size() const { return static_cast<std::int32_t>(texts_.size()); }
  std::int32_t padding() const { return padding_; }

  /// The tokens of a text.  @throws tpx::Error where it is not UTF-8
  std::vector<std::int32_t> encode(std::string_view text,
                                   ControlTokens control = ControlTokens::as_text) const {
    detail::expect_utf8(text, "tpx::WordPieceTokenizer: the text ");
    std::vector<std::int32_t> tokens;
    const auto plain = [&](std::string_view part) {
      words_.split(normalized(part), [&](std::string_view word, bool is_word) {
        if (is_word) encode_word(word, tokens);
      });
    };
    if (control == ControlTokens::as_text) {
      plain(text);
    } else {
      special_.split(text, plain, [&](std::int32_t token) { tokens.push_back(token); });
    }
    return tokens;
  }
  /// The same between the tokens that begin and end a sentence, at most so many of all of them together: a
  /// longer text loses its end.  @pre most >= 2
  std::vector<std::int32_t> encode_sentence(std::string_view text, std::size_t most) const {
    TPX_EXPECTS(most >= 2, most);
    std::vector<std::int32_t> tokens = encode(text);
    tokens.resize(std::min(tokens.size(), most - 2));
    tokens.insert(tokens.begin(), begin_);
    tokens.push_back(end_);
    return tokens;
  }

  /// The words with spaces between them, without what only begins, ends or fills a sentence: a text is not to
  /// be had back from its tokens.
  /// @throws tpx::Error where a token is outside the vocabulary
  std::string decode(std::span<const std::int32_t> tokens) const {
    std::string text;
    for (const std::int32_t token : tokens) {
      if (token < 0 || token >= size())
        fail("tpx::WordPieceTokenizer: token " + std::to_string(token) + " is not in the vocabulary of 0 to " +
             std::to_string(size() - 1));
      const auto at = static_cast<std::size_t>(token);
      if (kinds_[at] == TokenKind::control) continue;
      const bool goes_on = texts_[at].starts_with(more) && !text.empty();
      if (!goes_on && !text.empty()) text += ' ';
      text += texts_[at].substr(goes_on ? more.size() : 0);
    }
    return text;
  }

 private:
  static constexpr std::string_view more = "##";

  static bool is_chinese(char32_t c) {
    constexpr struct {
      char32_t first, last;
    } blocks[] = {{0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
                  {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0xf900, 0xfaff},   {0x2f800, 0x2fa1f}};
    return std::ranges::any_of(blocks, [&](const auto& b) { return b.first <= c && c <= b.last; });
  }

  /// Without characters that are not to be seen; where so asked, in lower case, and with spaces around Chinese
  /// ones.
  std::string normalized(std::string_view text) const {
    std::string clean;
    (lower_case_ ? unseen_and_marks_ : unseen_).split(text, [&](std::string_view part, bool is_unseen) {
      while (!is_unseen && !part.empty()) {
        const detail::CodePoint c = detail::first_code_point(part);
        const bool alone = split_chinese_ && is_chinese(c.value);
        if (alone) clean += ' ';
        if (lower_case_) {
          detail::append_folded(clean, c.value);
        } else {
          clean.append(part.substr(0, c.bytes));
        }
        if (alone) clean += ' ';
        part.remove_prefix(c.bytes);
      }
    });
    return clean;
  }

  void encode_word(std::string_view word, std::vector<std::int32_t>& tokens) const {
    const auto begins_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; };
    const std::size_t before = tokens.size();
    bool known = static_cast<std::size_t>(std::ranges::count_if(word, begins_character)) <= longest_word_;
    std::string piece;
    for (std::size_t start = 0; known && start < word.size();) {
      std::size_t end = word.size();
      for (known = false; !known && end > start;) {
        piece.assign(start > 0 ? more : "").append(word.substr(start, end - start));
        const auto found = ids_.find(piece);
        known = found != ids_.end();
        if (known) {
          tokens.push_back(found->second);
          start = end;
        } else {
          do --end;
          while (end > start && !begins_character(word[end]));
        }
      }
    }
    if (!known) {
      tokens.resize(before);
      tokens.push_back(unknown_);
    }
  }

  std::vector<std::string> texts_;
  std::vector<TokenKind> kinds_;
  std::unordered_map<std::string, std::int32_t> ids_;
  detail::SpecialTokens special_;
  std::int32_t begin_, end_, unknown_, padding_;
  bool lower_case_, split_chinese_;
  std::size_t longest_word_;
  // Control characters and the like, but for those that are spaces.
  detail::Regex unseen_{R"((?![\t\n\r])[\x{0}\x{fffd}\p{Cc}\p{Cf}\p{Co}])"};
  detail::Regex unseen_and_marks_{R"((?![\t\n\r])[\x{0}\x{fffd}\p{Cc}\p{Cf}\p{Co}\p{Mn}])"};
  // A mark of punctuation, which all of ASCII's symbols count as, or a word.
  detail::Regex words_{R"([\p{P}$+<=>^`|~]|[^\s\p{P}$+<=>^`|~]+)"};
};

}  // namespace tpx
