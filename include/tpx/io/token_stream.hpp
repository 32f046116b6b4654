// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>

#include <tpx/io/bpe_tokenizer.hpp>
#include <tpx/io/utf8.hpp>

namespace tpx {

/// Text of tokens that come one by one: what they complete, so that it can be shown at once. A character of
/// which only some bytes are there is held back.
///
/// @post   the texts, one after the other, are tokenizer.decode of the tokens
class TokenStream {
 public:
  /// @pre the tokenizer lives as long
  explicit TokenStream(const BpeTokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  /// @throws tpx::Error where the token is outside the vocabulary
  std::string push(std::int32_t token) {
    if (tokenizer_->kind(token) == TokenKind::control) return {};
    return bytes_.push(tokenizer_->bytes(token));
  }
  /// What is left when nothing follows.
  std::string finish() { return bytes_.finish(); }

 private:
  const BpeTokenizer* tokenizer_;
  detail::Utf8Stream bytes_;
};

}  // namespace tpx
