// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/bpe_tokenizer.hpp>
#include <tpx/io/gguf.hpp>
#include <tpx/io/utf8.hpp>

namespace tpx {

/// A part of a conversation.
struct ChatMessage {
  std::string role;  ///< system, user or assistant
  std::string content;
};

/// The ChatML template: each message is <|im_start|>, the role, a new line, the content, <|im_end|>, a new
/// line; the answer begins like a message of the assistant.
class ChatTemplate {
 public:
  /// @param system  what a conversation begins with that brings no system message of its own; empty: nothing
  explicit ChatTemplate(std::string system = {}) : system_(std::move(system)) {}

  /// Of the templates that files have, programs in a language of their own, those that write ChatML are known,
  /// by their marks and their system message.
  /// @throws tpx::Error where the template writes none of ChatML's marks
  static ChatTemplate read(std::string_view program) {
    detail::expect_utf8(program, "tpx::ChatTemplate: the template ");
    for (const std::string_view mark : {start, end, std::string_view("add_generation_prompt")})
      if (program.find(mark) == std::string_view::npos)
        fail("tpx::ChatTemplate: the template is not ChatML, the one that is known: it has no " +
             std::string(mark));
    // In a program a new line may be written as one, or as \n.
    for (const std::string_view newline : {"\n", "\\n"}) {
      const std::string opening = std::string(start) + "system" + std::string(newline);
      const std::size_t at = program.find(opening);
      if (at == std::string_view::npos) continue;
      const std::string_view rest = program.substr(at + opening.size());
      const std::string_view text = rest.substr(0, rest.find(end));
      // What is put together out of parts is no message by itself.
      if (text.size() < rest.size() && text.find_first_of("'\"{}\\") == std::string_view::npos)
        return ChatTemplate(std::string(text));
    }
    return ChatTemplate();
  }
  /// That of a GGUF file.
  static ChatTemplate read(const Gguf& file) { return read(file.value("tokenizer.chat_template").text()); }

  /// What a conversation begins with by itself.
  const std::string& system() const { return system_; }

  /// The prompt as text.
  std::string render(std::span<const ChatMessage> messages) const {
    std::string text;
    for_each_message(messages, [&](std::string_view role, std::string_view content) {
      text.append(start).append(role).append("\n").append(content).append(end).append("\n");
    });
    return text.append(start).append("assistant\n");
  }

  /// The prompt as tokens. Messages are text to the last character: one that has <|im_end|> in it ends nothing.
  /// @throws tpx::Error where a message is not UTF-8, or the tokenizer has no token for a mark
  std::vector<std::int32_t> encode(const BpeTokenizer& tokenizer, std::span<const ChatMessage> messages) const {
    const std::int32_t starts = mark(tokenizer, start), ends = mark(tokenizer, end);
    std::vector<std::int32_t> tokens;
    const auto put = [&](const std::string& text) {
      const std::vector<std::int32_t> more = tokenizer.encode(text);
      tokens.insert(tokens.end(), more.begin(), more.end());
    };
    for_each_message(messages, [&](std::string_view role, std::string_view content) {
      tokens.push_back(starts);
      put(std::string(role).append("\n").append(content));
      tokens.push_back(ends);
      put("\n");
    });
    tokens.push_back(starts);
    put("assistant\n");
    return tokens;
  }

 private:
  static constexpr std::string_view start = "<|im_start|>", end = "<|im_end|>";

  template <class F>
  void for_each_message(std::span<const ChatMessage> messages, F&& f) const {
    if (!system_.empty() && (messages.empty() || messages[0].role != "system")) f("system", system_);
    for (const ChatMessage& message : messages) f(message.role, message.content);
  }

  static std::int32_t mark(const BpeTokenizer& tokenizer, std::string_view text) {
    const std::optional<std::int32_t> token = tokenizer.find(text);
    if (!token || tokenizer.kind(*token) == TokenKind::text)
      fail("tpx::ChatTemplate: the vocabulary has no token " + std::string(text));
    return *token;
  }

  std::string system_;
};

}  // namespace tpx
