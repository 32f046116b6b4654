// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <tpx/io/utf8.hpp>

/// How byte-level vocabularies write bytes: each as one character that can be seen. Bytes whose Latin-1
/// character can be seen are that character, the others, in order, those from U+0100 on: a space is U+0120.
namespace tpx::detail {

constexpr bool is_seen(unsigned byte) { return (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad); }

/// For each byte its character.
inline constexpr std::array<char32_t, 256> byte_characters = [] {
  std::array<char32_t, 256> table{};
  char32_t next = 0x100;
  for (unsigned b = 0; b < 256; ++b) table[b] = is_seen(b) ? b : next++;
  return table;
}();

/// For each of these characters its byte, -1 for others.
inline constexpr auto character_bytes = [] {
  std::array<int, 0x144> table{};
  table.fill(-1);
  for (unsigned b = 0; b < 256; ++b) table[byte_characters[b]] = static_cast<int>(b);
  return table;
}();

/// The bytes that a token stands for, or nothing where it has a character that stands for none.
/// @pre token is UTF-8
inline std::optional<std::string> bytes_of_characters(std::string_view token) {
  std::string bytes;
  while (!token.empty()) {
    const CodePoint c = first_code_point(token);
    if (c.value >= character_bytes.size() || character_bytes[c.value] < 0) return std::nullopt;
    bytes += static_cast<char>(character_bytes[c.value]);
    token.remove_prefix(c.bytes);
  }
  return bytes;
}

}  // namespace tpx::detail
