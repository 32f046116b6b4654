// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tpx/io/bpe_gguf.hpp>
#include <tpx/io/bpe_json.hpp>
#include <tpx/io/chat_template.hpp>
#include <tpx/io/model_settings.hpp>
#include <tpx/io/token_stream.hpp>

namespace generate {

using Tokens = std::vector<std::int32_t>;

/// Between text and the tokens of a model.
class Codec {
 public:
  /// Each byte is a token.
  Codec() = default;
  explicit Codec(const tpx::Gguf& file)
      : tokenizer_(std::make_unique<tpx::BpeTokenizer>(bpe_tokenizer(file))),
        end_(tokenizer_->end().value_or(-1)) {
    if (file.find_value("tokenizer.chat_template") != nullptr) chat_ = tpx::ChatTemplate::read(file);
  }
  /// A folder's tokenizer.json; the settings are those of its config.json.
  Codec(const std::string& folder, const tpx::ModelSettings& settings)
      : tokenizer_(
            std::make_unique<tpx::BpeTokenizer>(bpe_tokenizer(tpx::TokenizerJson(folder + "/tokenizer.json")))),
        end_(static_cast<std::int32_t>(settings.integer("eos_token_id", -1))) {
    const std::string tokenizer = folder + "/tokenizer_config.json";
    if (!std::filesystem::exists(tokenizer)) return;
    const tpx::ModelSettings more(tokenizer);
    if (more.has("chat_template")) chat_ = tpx::ChatTemplate::read(more.text("chat_template"));
  }

  /// The prompt's tokens; where the model has a chat template and it is not `raw`, as a message.
  Tokens encode(const std::string& prompt, bool raw) const {
    if (!tokenizer_) {
      Tokens bytes;
      for (const char c : prompt) bytes.push_back(static_cast<unsigned char>(c));
      return bytes;
    }
    if (raw || !chat_) return tokenizer_->encode_prompt(prompt);
    const std::vector<tpx::ChatMessage> messages{{"user", prompt}};
    return chat_->encode(*tokenizer_, messages);
  }

  bool ends(std::int32_t token) const { return tokenizer_ && token == end_; }
  /// Null where each byte is a token.
  const tpx::BpeTokenizer* tokenizer() const { return tokenizer_.get(); }

 private:
  std::unique_ptr<tpx::BpeTokenizer> tokenizer_;
  std::optional<tpx::ChatTemplate> chat_;
  std::int32_t end_ = -1;
};

/// The text of tokens as they come.
class Speech {
 public:
  explicit Speech(const Codec& codec) {
    if (codec.tokenizer() != nullptr) stream_.emplace(*codec.tokenizer());
  }

  /// What the token adds.
  std::string push(std::int32_t token) {
    return add(stream_                        ? stream_->push(token)
               : token < 0x20 || token > 0x7e ? "?"
                                              : std::string(1, static_cast<char>(token)));
  }
  std::string finish() { return add(stream_ ? stream_->finish() : std::string()); }
  /// All of it.
  const std::string& text() const { return text_; }

 private:
  std::string add(std::string more) {
    text_ += more;
    return more;
  }
  std::optional<tpx::TokenStream> stream_;
  std::string text_;
};

}  // namespace generate
