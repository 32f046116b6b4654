// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tpx/core/error.hpp>
#include <tpx/io/tensor_file.hpp>

namespace tpx::detail {

/// A regular expression over UTF-8, \s \d \w and \p{...} as Unicode has them, by PCRE2.
///
/// @throws tpx::Error with PCRE2's words where the pattern is not one, or matching it takes too long
class Regex {
 public:
  explicit Regex(std::string_view pattern) : pattern_(quoted(pattern)) {
    int error = 0;
    std::size_t at = 0;
    // \\C would match a part of a character.
    constexpr std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    code_.reset(pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(pattern.data()), pattern.size(), options, &error,
                                &at, nullptr));
    if (!code_) refuse("is not a regular expression: " + words(error) + ", at byte " + std::to_string(at));
    // Without the compiler, matching is slower and gives the same.
    const int compiled = pcre2_jit_compile_8(code_.get(), PCRE2_JIT_COMPLETE);
    if (compiled != 0 && compiled != PCRE2_ERROR_JIT_BADOPTION && compiled != PCRE2_ERROR_NOMEMORY)
      refuse("cannot be compiled: " + words(compiled));
  }

  /// Calls piece(part, matched) for each match that is not empty and for each part between them, in order;
  /// together they are the text.  @pre text is UTF-8
  template <class F>
  void split(std::string_view text, F&& piece) const {
    const std::unique_ptr<pcre2_match_data_8, MatchDeleter> match(
        pcre2_match_data_create_from_pattern_8(code_.get(), nullptr));
    if (!match) refuse("cannot be matched: no memory");
    const std::size_t* const range = pcre2_get_ovector_pointer_8(match.get());
    std::size_t done = 0;
    while (done < text.size()) {
      const int found = pcre2_match_8(code_.get(), reinterpret_cast<PCRE2_SPTR8>(text.data()), text.size(),
                                      done, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.get(), nullptr);
      if (found == PCRE2_ERROR_NOMATCH) break;
      if (found < 0) refuse("cannot be matched: " + words(found));
      const std::size_t begin = range[0], end = range[1];
      // \K and lookbehinds can set a match's ends anywhere.
      if (begin < done || end <= begin) refuse("matches what it has passed");
      if (begin > done) piece(text.substr(done, begin - done), false);
      piece(text.substr(begin, end - begin), true);
      done = end;
    }
    if (done < text.size()) piece(text.substr(done), false);
  }

 private:
  struct CodeDeleter {
    void operator()(pcre2_code_8* code) const { pcre2_code_free_8(code); }
  };
  struct MatchDeleter {
    void operator()(pcre2_match_data_8* match) const { pcre2_match_data_free_8(match); }
  };

  static std::string words(int error) {
    PCRE2_UCHAR8 text[256];
    const int length = pcre2_get_error_message_8(error, text, sizeof text);
    if (length < 0) return "error " + std::to_string(error);
    return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)};
  }
  [[noreturn]] void refuse(const std::string& what) const { fail("tpx: the pattern " + pattern_ + " " + what); }

  std::string pattern_;
  std::unique_ptr<pcre2_code_8, CodeDeleter> code_;
};

}  // namespace tpx::detail
