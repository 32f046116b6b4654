// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/bpe_gguf.hpp>
#include <tpx/io/bpe_json.hpp>
#include <tpx/io/chat_template.hpp>
#include <tpx/io/token_stream.hpp>
#include <tpx/io/wordpiece_json.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/fuzz.hpp"
#include "io/gguf_bytes.hpp"
#include "io/scratch.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

constexpr std::string_view text = "abc ab<e>1 \u00e9";

/// The tokens and merges are what a change is to hit; an entry of a table takes some ten times its bytes in the
/// file.
constexpr std::size_t most = 32 * 1024;

std::string good_gguf() {
  GgufBytes made = gguf_bytes({.values = 8});
  const auto strings = [&](const char* key, std::initializer_list<const char*> values) {
    made.key(key).u32(9).u32(8).u64(values.size());
    for (const char* value : values) made.key(value);
  };
  const std::initializer_list<const char*> tokens = {
      "<e>", "a", "b", "c", "1", "\u0120", "<", "e", ">", "\u00c3", "\u00a9", "ab", "abc", "\u0120ab"};
  made.key("tokenizer.ggml.model").u32(8).key("gpt2");
  made.key("tokenizer.ggml.pre").u32(8).key("smollm");
  strings("tokenizer.ggml.tokens", tokens);
  made.key("tokenizer.ggml.token_type").u32(9).u32(5).u64(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) made.put(std::int32_t{i == 0 ? 3 : 1});
  strings("tokenizer.ggml.merges", {"a b", "ab c", "\u0120 ab"});
  made.key("tokenizer.ggml.eos_token_id").u32(4).u32(0);
  made.key("tokenizer.ggml.add_bos_token").u32(7).u8(0);
  made.key("tokenizer.chat_template").u32(8).key("'<|im_start|>system\nA.<|im_end|>' add_generation_prompt");
  return made.text();
}

constexpr std::string_view good_bpe =
    R"({"added_tokens":[{"id":0,"content":"<e>","special":true,"lstrip":false}],"normalizer":null,)"
    R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},)"
    R"({"type":"Split","pattern":{"Regex":"b+|[c]"
}
, "behavior" : "Isolated", "invert" : false
},)"
    R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]},)"
    R"("post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},)"
    R"({"SpecialToken":{"id":"<e>"}}]},)"
    R"("model":{"type":"BPE","unk_token":"<e>","ignore_merges":false,"merges":["a b",["ab","c"]],)"
    R"("vocab":{"<e>":0,"a":1,"b":2,"c":3,"1":4,"ab":5,"abc":6}}})";

constexpr std::string_view good_wordpiece =
    R"({"added_tokens":[{"id":0,"content":"[PAD]","special":true}],"pre_tokenizer":{"type":"BertPreTokenizer"},)"
    R"("normalizer":{"type":"BertNormalizer","clean_text":true,"strip_accents":null,"lowercase":true},)"
    R"("model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",)"
    R"("max_input_chars_per_word":100,"vocab":{"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"a":4,"##b":5,"##c":6}}})";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void use(const BpeTokenizer& tokenizer) {
  std::vector<std::int32_t> tokens = tokenizer.encode_prompt(text, ControlTokens::parsed);
  for (std::int32_t token = 0; token < tokenizer.size(); ++token) tokens.push_back(token);
  TokenStream stream(tokenizer);
  std::string streamed;
  for (const std::int32_t token : tokens) streamed += stream.push(token);
  REQUIRE(streamed + stream.finish() == tokenizer.decode(tokens));
}

}  // namespace

TEST_CASE("mutated tokenizers of GGUF load and encode, or are refused") {
  fuzz(good_gguf(), good_gguf().size(), most, [](std::span<const std::byte> bytes) {
    const Gguf file(bytes, "f");
    use(bpe_tokenizer(file));
    const std::string prompt = ChatTemplate::read(file).render({});
    REQUIRE(prompt.ends_with("assistant\n"));
  });
}

TEST_CASE("mutated files tokenizer.json load and encode, or are refused") {
  fuzz(std::string(good_bpe), good_bpe.size(), most,
       [](std::span<const std::byte> bytes) { use(bpe_tokenizer(TokenizerJson(text_of(bytes), "f"))); });
  fuzz(std::string(good_wordpiece), good_wordpiece.size(), most, [](std::span<const std::byte> bytes) {
    const WordPieceTokenizer tokenizer = wordpiece_tokenizer(TokenizerJson(text_of(bytes), "f"));
    const std::vector<std::int32_t> tokens = tokenizer.encode_sentence(text, 64);
    REQUIRE(!tokens.empty());
    REQUIRE(tokenizer.decode(tokens).size() < 4096);
  });
}

TEST_CASE("any bytes are refused as a text, or come back") {
  const std::string gguf = good_gguf();
  const BpeTokenizer tokenizer = bpe_tokenizer(Gguf(bytes_of(gguf), "f"));
  fuzz(std::string(text), text.size(), most, [&](std::span<const std::byte> bytes) {
    const std::vector<std::int32_t> tokens = tokenizer.encode(text_of(bytes));
    REQUIRE(tokenizer.decode(tokens) == text_of(bytes));
  });
}
