// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include <tpx/io/fold_table.hpp>
#include <tpx/io/utf8.hpp>

namespace tpx::detail {

/// What fold_table.hpp says, by code point.
inline const std::unordered_map<char32_t, std::string>& folded_characters() {
  static const std::unordered_map<char32_t, std::string> table = [] {
    std::unordered_map<char32_t, std::string> made;
    for (const FoldShift& s : fold_shifts)
      for (char32_t c = s.first; c <= s.last; c += s.step)
        append_utf8(made[c], static_cast<char32_t>(static_cast<std::int32_t>(c) + s.shift));
    for (const FoldRun& run : fold_runs) {
      char32_t c = run.first;
      for (std::string_view rest = run.to; !rest.empty();) {
        const std::size_t bytes = first_code_point(rest).bytes;
        made[c++] = rest.substr(0, bytes);
        rest.remove_prefix(bytes);
      }
    }
    for (const FoldRun& run : fold_to_several) made[run.first] = run.to;
    return made;
  }();
  return table;
}

/// Appends the character in lower case and without accents; a Hangul syllable is its letters.
/// @pre c is no mark that stands by itself (Unicode's class Mn)
inline void append_folded(std::string& to, char32_t c) {
  constexpr char32_t first_syllable = 0xac00, last_syllable = 0xd7a3, vowels = 21, finals = 28;
  if (c >= first_syllable && c <= last_syllable) {
    const char32_t n = c - first_syllable;
    append_utf8(to, 0x1100 + n / (vowels * finals));
    append_utf8(to, 0x1161 + n / finals % vowels);
    if (n % finals != 0) append_utf8(to, 0x11a7 + n % finals);
    return;
  }
  const auto found = folded_characters().find(c);
  if (found != folded_characters().end()) {
    to += found->second;
  } else {
    append_utf8(to, c);
  }
}

}  // namespace tpx::detail
