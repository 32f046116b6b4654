// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

namespace tpx {

/// What a token is for.
enum class TokenKind : std::uint8_t {
  text,         ///< bytes of a text
  control,      ///< a mark that no text has, such as the end of an answer
  user_defined  ///< looked for in a text as it is written
};

/// What becomes of the text of a control token within a text.
enum class ControlTokens { as_text, parsed };

}  // namespace tpx
