// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/utf8.hpp>

#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <utility>

#include <tpx/io/byte_level.hpp>
#include <tpx/io/fold.hpp>

#include "io/scratch.hpp"

using namespace tpx;
using namespace tpx::detail;
using namespace tpx::test;

namespace {

bool is_surrogate(char32_t c) { return c >= 0xd800 && c < 0xe000; }

/// By the definition of the encoding.
std::string encoded(char32_t c) {
  const auto byte = [](char32_t b) { return static_cast<char>(static_cast<unsigned char>(b)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 + c / 64), byte(0x80 + c % 64)};
  if (c < 0x10000) return {byte(0xe0 + c / 4096), byte(0x80 + c / 64 % 64), byte(0x80 + c % 64)};
  return {byte(0xf0 + c / 262144), byte(0x80 + c / 4096 % 64), byte(0x80 + c / 64 % 64), byte(0x80 + c % 64)};
}

std::string in_parts(std::string_view text, std::size_t at) {
  Utf8Stream stream;
  const std::string first = stream.push(text.substr(0, at)), second = stream.push(text.substr(at));
  expect_utf8(first, "");
  expect_utf8(second, "");
  return first + second + stream.finish();
}

std::string folded(char32_t c) {
  std::string text;
  append_folded(text, c);
  return text;
}

}  // namespace

TEST_CASE("every code point is written and read, and no surrogate is") {
  int wrong = 0;
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    const std::string text = encoded(c);
    const CodePoint read = first_code_point(text + "x");
    if (is_surrogate(c)) {
      wrong += read.state != CodePoint::wrong;
      continue;
    }
    std::string written;
    append_utf8(written, c);
    wrong += written != text || read.state != CodePoint::whole || read.value != c || read.bytes != text.size();
    for (std::size_t n = 1; n < text.size(); ++n) {
      const CodePoint cut = first_code_point(std::string_view(text).substr(0, n));
      wrong += cut.state != CodePoint::incomplete || cut.bytes != n;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("what is not UTF-8 is refused, with its place") {
  const auto refused = [](std::string_view text) { return error_of([&] { expect_utf8(text, "it "); }); };
  CHECK(refused("gr\u00fc\u00df \U0001f600") == "nothing");
  CHECK(refused("ab\x80") == "it is not UTF-8: no character begins at byte 2 of 3");
  CHECK(refused("a\xc3") == "it is not UTF-8: no character ends that begins at byte 1 of 2");
  // Longer forms of /, of U+07FF and of U+FFFF, a surrogate, what is above U+10FFFF, and bytes that begin
  // nothing.
  for (const char* text : {"\xc0\xaf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                           "\xf5\x80\x80\x80", "\xff", "\xfe", "\xe2\x28\xa1", "\xe2\x82("})
    CHECK(refused(text).find("begins at byte 0 of ") != std::string::npos);
}

TEST_CASE("bytes that come in parts become the same text") {
  const std::string good = "a\u00e9\u6771\U0001f600z";
  for (std::size_t at = 0; at <= good.size(); ++at) CHECK(in_parts(good, at) == good);
  // One U+FFFD for as many bytes as could begin a character.
  const std::pair<std::string_view, std::string_view> bad[] = {{"a\xff\xfe", "a\ufffd\ufffd"},
                                                               {"\xe6\x9d", "\ufffd"},
                                                               {"\xe6\x9dz", "\ufffdz"},
                                                               {"\xe6\xe6\x9d\xb1", "\ufffd\u6771"},
                                                               {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
                                                               {"\xf0\x9f\x98", "\ufffd"}};
  for (const auto& [bytes, text] : bad)
    for (std::size_t at = 0; at <= bytes.size(); ++at) CHECK(in_parts(bytes, at) == text);
}

TEST_CASE("bytes are characters that can be seen, each another") {
  std::string all;
  for (unsigned b = 0; b < 256; ++b) append_utf8(all, byte_characters[b]);
  const auto bytes = bytes_of_characters(all);
  REQUIRE(bytes);
  REQUIRE(bytes->size() == 256);
  for (unsigned b = 0; b < 256; ++b) CHECK(static_cast<unsigned char>((*bytes)[b]) == b);
  CHECK(bytes_of_characters("\u0120the\u010a") == " the\n");
  CHECK_FALSE(bytes_of_characters(" the"));
  CHECK_FALSE(bytes_of_characters("\u0144"));
}

TEST_CASE("characters lose their case and accents") {
  const std::pair<char32_t, std::string_view> cases[] = {{U'A', "a"},
                                                         {U'z', "z"},
                                                         {0xe9, "e"},
                                                         {0x130, "i"},
                                                         {0x131, "\u0131"},
                                                         {0xdf, "\u00df"},
                                                         {0x1e9e, "\u00df"},
                                                         {0x3a3, "\u03c3"},
                                                         {0x1f84, "\u03b1"},
                                                         {0x419, "\u0438"},
                                                         {0x30ac, "\u30ab"},
                                                         {0x212b, "a"},
                                                         {0xfa10, "\u585a"},
                                                         {0xac00, "\u1100\u1161"},
                                                         {0xac01, "\u1100\u1161\u11a8"},
                                                         {0xd7a3, "\u1112\u1175\u11c2"},
                                                         {0x10400, "\U00010428"},
                                                         {0x4e00, "\u4e00"},
                                                         {0x10ffff, "\U0010ffff"}};
  for (const auto& [c, text] : cases) CHECK(folded(c) == text);
}
