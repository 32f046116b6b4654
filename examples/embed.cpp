// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Embeds sentences by an encoder that somebody else trained, split over all ranks, and compares them.
//
//   examples/run.sh embed --ranks 2 FILE      fetches all-MiniLM-L6-v2; FILE has one sentence a line
//
// Each rank reads its own part of the model. All sentences are one batch; the shorter ones are filled up with
// padding, which no token sees. Sentences that mean the same have embeddings whose product is close to 1.
#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <tpx/io/model_settings.hpp>
#include <tpx/io/safetensors.hpp>
#include <tpx/io/wordpiece_json.hpp>
#include <tpx/nn/bert_file.hpp>
#include <tpx/ops/mean_pool.hpp>
#include <tpx/tpx.hpp>

#include "embed/options.hpp"
#include "support/result.hpp"

namespace {

using namespace embed;
using tpx::axes::tp;
using Tokens = std::vector<std::int32_t>;

/// Lines that are not empty.
std::vector<std::string> read_sentences(const std::string& name) {
  std::ifstream file(name);
  if (!file) throw tpx::Error("embed: the file '" + name + "' cannot be opened");
  std::vector<std::string> sentences;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) sentences.push_back(line);
  }
  if (file.bad()) throw tpx::Error("embed: the file '" + name + "' cannot be read");
  if (sentences.empty()) throw tpx::Error("embed: the file '" + name + "' has no sentences");
  return sentences;
}

/// The embeddings, row-major, of all sentences, on every rank.
template <class Model>
std::vector<float> embeddings(const Model& model, const std::vector<Tokens>& sentences) {
  std::size_t longest = 0;
  for (const Tokens& sentence : sentences) longest = std::max(longest, sentence.size());
  const auto batch = static_cast<std::int64_t>(sentences.size());
  const auto& mesh = model.mesh();
  const auto ids =
      tpx::from_function<std::int32_t>(mesh, tpx::layout<>, {batch, static_cast<std::int64_t>(longest)},
                                       [&](const std::array<std::int64_t, 2>& at) {
                                         const Tokens& sentence = sentences[static_cast<std::size_t>(at[0])];
                                         const auto i = static_cast<std::size_t>(at[1]);
                                         return i < sentence.size() ? sentence[i] : 0;
                                       });
  const auto types =
      tpx::full<std::int32_t>(mesh, tpx::layout<>, {batch, static_cast<std::int64_t>(longest)}, 0);
  const auto lengths = tpx::from_function<std::int32_t>(
      mesh, tpx::layout<>, {batch},
      [&](const std::array<std::int64_t, 1>& at) { return sentences[static_cast<std::size_t>(at[0])].size(); });
  return gather(mean_pool(model.hidden(ids, types, lengths), lengths));
}

template <class World, class Model>
int run(World& world, const Model& model, const std::vector<std::string>& sentences,
        const std::vector<Tokens>& tokens) {
  const std::vector<float> all = embeddings(model, tokens);
  std::int64_t peak = model.mesh().context().pool().peak();
  world.all_reduce(&peak, &peak, 1, tpx::Element::i64, tpx::Reduction::max);
  if (world.rank() != 0) return 0;
  const std::size_t n = sentences.size(), features = all.size() / n;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < features; ++c)
      std::printf("%s%.6f", c == 0 ? "" : " ", static_cast<double>(all[i * features + c]));
    std::printf("\n");
  }
  std::printf("\nsimilarities\n");
  std::vector<double> similarity;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double product = 0;
      for (std::size_t c = 0; c < features; ++c)
        product += static_cast<double>(all[i * features + c]) * static_cast<double>(all[j * features + c]);
      similarity.push_back(product);
      std::printf("%7.3f", product);
    }
    std::printf("  %s\n", sentences[i].c_str());
  }
  std::printf("\nat most %.1f MB of tensors on a rank\n", static_cast<double>(peak) / 1e6);
  std::printf("\nresult %s\n", example::Fact::braced({{"example", "embed"},
                                                      {"mesh", "tp=" + std::to_string(world.size())},
                                                      {"sentences", n},
                                                      {"features", features},
                                                      {"similarities", similarity},
                                                      {"peak_bytes", peak}})
                                   .c_str());
  return 0;
}

/// A small model whose tokens are bytes: what there is without a file.
tpx::BertConfig small_config() {
  tpx::BertConfig c;
  c.vocabulary = 256;
  c.context = 256;
  c.types = 2;
  c.layers = 2;
  c.hidden = 48;
  c.heads = 6;
  c.ffn = 96;
  return c;
}

template <class World>
int run_file(World& world, const Options& options) {
  const auto mesh = tpx::make_mesh<tp>(world);
  mesh.context().pool().set_limit(options.memory_limit);
  using Plan = tpx::TensorParallel<tp>;
  const std::vector<std::string> sentences = read_sentences(options.file);
  std::vector<Tokens> tokens;
  if (options.model == "random") {
    if (world.rank() == 0) std::printf("a small model of random weights: its embeddings mean nothing\n");
    const tpx::BertConfig config = small_config();
    const std::size_t longest = static_cast<std::size_t>(std::min(options.longest, config.context));
    for (const std::string& sentence : sentences) {
      Tokens bytes;
      for (const char c : sentence.substr(0, longest)) bytes.push_back(static_cast<unsigned char>(c));
      tokens.push_back(bytes);
    }
    return run(world, tpx::parallelize<tpx::Bert, float, Plan>(mesh, config, tpx::RandomWeights(1, 0.3)),
               sentences, tokens);
  }
  const tpx::BertConfig config = tpx::bert_config(tpx::ModelSettings(options.model + "/config.json"));
  const tpx::WordPieceTokenizer tokenizer =
      wordpiece_tokenizer(tpx::TokenizerJson(options.model + "/tokenizer.json"));
  const std::size_t longest = static_cast<std::size_t>(std::min(options.longest, config.context));
  for (const std::string& sentence : sentences) tokens.push_back(tokenizer.encode_sentence(sentence, longest));
  const tpx::Safetensors file(options.model + "/model.safetensors");
  return run(world, tpx::parallelize<tpx::Bert, float, Plan>(mesh, config, bert_weights(file)), sentences,
             tokens);
}

}  // namespace

int main(int argc, char** argv) {
  tpx::Environment env(argc, argv);
  return env.run([&] {
    const tpx::comm::Mpi world = env.world();
    Options options;
    if (const auto code = read_options(argc, argv, world.rank() == 0, options)) return *code;
    return run_file(world, options);
  });
}
