// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/regex.hpp>
#include <tpx/io/tensor_file.hpp>

namespace tpx::detail {

/// Patterns of a pre-tokenizer that many vocabularies were made with.
inline constexpr const char* gpt2_words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr const char* each_digit = R"(\p{N})";
inline constexpr const char* all_digits = R"(\p{N}+)";
inline constexpr const char* llama3_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* qwen2_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// The patterns behind a name in GGUF's tokenizer.ggml.pre, or none where it is not known.
inline std::vector<std::string> patterns_of(std::string_view name) {
  for (const char* known : {"gpt-2", "gpt2"})
    if (name == known) return {gpt2_words};
  for (const char* known : {"smollm", "starcoder", "refact", "command-r", "codeshell"})
    if (name == known) return {each_digit, gpt2_words};
  for (const char* known : {"llama-bpe", "llama3", "llama-v3"})
    if (name == known) return {llama3_words};
  if (name == "qwen2") return {qwen2_words};
  return {};
}

/// Cuts a text into the words that a byte-pair encoding keeps apart: by one pattern after the other, each of
/// which makes a piece of what it matches and of what is left between.
class PreTokenizer {
 public:
  explicit PreTokenizer(const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) rules_.emplace_back(pattern);
  }

  /// The words, in order; together they are the text.  @pre text is UTF-8
  std::vector<std::string_view> split(std::string_view text) const {
    std::vector<std::string_view> pieces = {text};
    for (const Regex& rule : rules_) {
      std::vector<std::string_view> finer;
      for (const std::string_view piece : pieces)
        rule.split(piece, [&](std::string_view part, bool) { finer.push_back(part); });
      pieces = std::move(finer);
    }
    return pieces;
  }

 private:
  std::vector<Regex> rules_;
};

}  // namespace tpx::detail
