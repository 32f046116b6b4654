// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <tpx/core/error.hpp>

namespace tpx::detail {

/// What a text begins with.
struct CodePoint {
  enum State { whole, incomplete, wrong };
  char32_t value;     ///< where it is whole
  std::size_t bytes;  ///< of it; where it is not whole, as many as could begin one, and one at least
  State state;
};

/// The first code point of UTF-8; incomplete where the text ends within it.  @pre !text.empty()
inline CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, CodePoint::whole};
  if (lead < 0xc2 || lead > 0xf4) return {0, 1, CodePoint::wrong};
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The bounds of the second byte leave out longer forms of the same, surrogates, and what is above U+10FFFF.
  unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  char32_t value = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {0, i, CodePoint::incomplete};
    if (byte(i) < low || byte(i) > high) return {0, i, CodePoint::wrong};
    value = value << 6 | (byte(i) & 0x3fu);
    low = 0x80, high = 0xbf;
  }
  return {value, length, CodePoint::whole};
}

/// @throws tpx::Error, beginning with `whose`, that says where the text stops being UTF-8
inline void expect_utf8(std::string_view text, const std::string& whose) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = first_code_point(text.substr(at));
    if (c.state != CodePoint::whole)
      fail(whose + "is not UTF-8: no character " +
           (c.state == CodePoint::incomplete ? "ends that begins at byte " : "begins at byte ") +
           std::to_string(at) + " of " + std::to_string(text.size()));
    at += c.bytes;
  }
}

/// @pre c is no surrogate and at most U+10FFFF
inline void append_utf8(std::string& to, char32_t c) {
  const auto put = [&](char32_t byte) { to += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else {
    const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    put((0xff00u >> (more + 1) & 0xffu) | c >> 6 * more);
    for (int i = more - 1; i >= 0; --i) put(0x80 | (c >> 6 * i & 0x3f));
  }
}

/// Makes text of bytes that come in parts: what may be the beginning of a character is held back until the
/// rest is there. What cannot become UTF-8 is U+FFFD.
class Utf8Stream {
 public:
  /// What the bytes complete.
  std::string push(std::string_view bytes) {
    held_ += bytes;
    std::string text;
    std::size_t at = 0;
    while (at < held_.size()) {
      const CodePoint c = first_code_point(std::string_view(held_).substr(at));
      if (c.state == CodePoint::incomplete) break;
      if (c.state == CodePoint::whole) {
        text.append(held_, at, c.bytes);
      } else {
        append_utf8(text, 0xfffd);
      }
      at += c.bytes;
    }
    held_.erase(0, at);
    return text;
  }
  /// What is held back: nothing, or U+FFFD for a beginning that nothing followed.
  std::string finish() {
    std::string text;
    if (!held_.empty()) append_utf8(text, 0xfffd);
    held_.clear();
    return text;
  }

 private:
  std::string held_;
};

}  // namespace tpx::detail
