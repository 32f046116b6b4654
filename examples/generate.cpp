// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Answers a prompt by a language model that somebody else trained, split over all ranks.
//
//   examples/run.sh generate --ranks 2 --prompt "What is the capital of France?"     fetches
//   SmolLM2-135M-Instruct mpiexec -n 2 generate --model FILE.gguf --prompt TEXT                            any
//   GGUF file, or safetensors
//
// Each rank reads its own part of the file. Attention, its keys and values, and the MLPs are split over the
// ranks; no rank ever holds all logits. The answer is the same for every number of ranks.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <tpx/io/gguf.hpp>
#include <tpx/io/safetensors.hpp>
#include <tpx/nn/generate.hpp>
#include <tpx/nn/gpt2_file.hpp>
#include <tpx/nn/llama_file.hpp>
#include <tpx/tpx.hpp>

#include "generate/codec.hpp"
#include "generate/options.hpp"
#include "support/result.hpp"

namespace {

using namespace generate;
using tpx::axes::tp;
using World = tpx::comm::Recording<tpx::comm::Mpi>;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The answer's tokens, and what they cost a rank.
struct Answer {
  Tokens tokens;
  std::string text;
  double first_token_s = 0, tokens_per_s = 0;
  double calls = 0, bytes = 0;  ///< of collectives, for each token after the first
};

/// Writes the answer as it comes.
template <class Model>
Answer answer(World& world, const Model& model, const Codec& codec, const Tokens& prompt,
              const Options& options) {
  const std::int64_t room =
      std::min<std::int64_t>(model.config().context, static_cast<std::int64_t>(prompt.size()) + options.tokens);
  tpx::Generator<Model> generator(model, 1, room);
  Answer answer;
  Speech speech(codec);
  const auto say = [&](const std::string& text) {
    if (world.rank() != 0 || text.empty()) return;
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  };
  const double start = now();
  std::int32_t token = generator.start({prompt}, options.sample)[0];
  const double first = now();
  world.log().clear();
  double steps = 0;
  for (;; ++steps) {
    if (codec.ends(token)) break;
    answer.tokens.push_back(token);
    say(speech.push(token));
    if (static_cast<std::int64_t>(answer.tokens.size()) == options.tokens || generator.filled()[0] == room)
      break;
    token = generator.next({token}, options.sample)[0];
  }
  answer.first_token_s = first - start;
  answer.tokens_per_s = steps / (now() - first);
  say(speech.finish() + "\n");
  answer.text = speech.text();
  for (const tpx::comm::CommEntry& entry : world.log().entries()) {
    answer.calls += static_cast<double>(entry.calls) / std::max(steps, 1.0);
    answer.bytes += static_cast<double>(entry.bytes) / std::max(steps, 1.0);
  }
  return answer;
}

template <class Model>
int run(World& world, const Model& model, const Codec& codec, const Options& options) {
  const bool speaks = world.rank() == 0;
  const Tokens prompt = codec.encode(options.prompt, options.raw);
  if (speaks) std::printf("tp=%d, a prompt of %zu tokens\n\n", world.size(), prompt.size());
  const Answer found = answer(world, model, codec, prompt, options);

  std::int64_t peak = model.mesh().context().pool().peak();
  world.all_reduce(&peak, &peak, 1, tpx::Element::i64, tpx::Reduction::max);
  if (!speaks) return 0;
  std::printf("\nfirst token after %.3f s, then %.1f tokens/s\n", found.first_token_s, found.tokens_per_s);
  std::printf("at most %.1f MB of tensors on a rank", static_cast<double>(peak) / 1e6);
  if (options.memory_limit > 0)
    std::printf(" of %.1f MB allowed", static_cast<double>(options.memory_limit) / 1e6);
  std::printf("\n%g collectives of %g bytes together for each token\n", found.calls, found.bytes);
  std::printf("\nresult %s\n", example::Fact::braced({{"example", "generate"},
                                                      {"mesh", "tp=" + std::to_string(world.size())},
                                                      {"prompt", options.prompt},
                                                      {"text", found.text},
                                                      {"tokens", found.tokens},
                                                      {"tokens_per_s", found.tokens_per_s},
                                                      {"first_token_s", found.first_token_s},
                                                      {"peak_bytes", peak},
                                                      {"collectives_per_token", found.calls},
                                                      {"bytes_per_token", found.bytes}})
                                   .c_str());
  return 0;
}

/// A small model whose tokens are bytes: what there is without a file.
tpx::LlamaConfig small_config() {
  tpx::LlamaConfig c;
  c.vocabulary = 256;
  c.context = 256;
  c.layers = 2;
  c.hidden = 72;
  c.heads = 9;
  c.kv_heads = 3;
  c.head_dim = 8;
  c.ffn = 96;
  c.tied = true;
  return c;
}

template <class Mesh>
int run_file(World& world, const Mesh& mesh, const Options& options) {
  const auto llama = [&](const tpx::LlamaConfig& config, const auto& weights, const Codec& codec) {
    return tpx::with_llama<float, tp>(mesh, config, weights,
                                      [&](const auto& model) { return run(world, model, codec, options); });
  };
  const auto gpt2 = [&](const tpx::Gpt2Config& config, const auto& weights, const Codec& codec) {
    return run(world, tpx::parallelize<tpx::Gpt2, float, tpx::TensorParallel<tp>>(mesh, config, weights), codec,
               options);
  };
  if (options.model == "random") {
    if (world.rank() == 0) std::printf("a small model of random weights: its answers mean nothing\n");
    return llama(small_config(), tpx::RandomWeights(1, 0.3), Codec());
  }
  if (std::filesystem::is_directory(options.model)) {
    const tpx::ModelSettings settings(options.model + "/config.json");
    const tpx::Safetensors file(options.model + "/model.safetensors");
    const Codec codec(options.model, settings);
    if (settings.text("model_type") == "gpt2")
      return gpt2(tpx::gpt2_config(settings), gpt2_weights(file), codec);
    return llama(tpx::llama_config(settings), llama_weights(file), codec);
  }
  const tpx::Gguf file(options.model);
  const Codec codec(file);
  if (tpx::detail::GgufSettings(file).architecture() == "gpt2")
    return gpt2(tpx::gpt2_config(file), gpt2_weights(file), codec);
  return llama(tpx::llama_config(file), llama_weights(file), codec);
}

}  // namespace

int main(int argc, char** argv) {
  tpx::Environment env(argc, argv);
  return env.run([&] {
    World world(env.world());
    Options options;
    if (const auto code = read_options(argc, argv, world.rank() == 0, options)) return *code;
    const auto mesh = tpx::make_mesh<tp>(world);
    mesh.context().pool().set_limit(options.memory_limit);
    return run_file(world, mesh, options);
  });
}
