// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include <tpx/ops/sample.hpp>

#include "../support/command_line.hpp"

namespace generate {

/// What the command line says.
struct Options {
  std::string model;
  std::string prompt = "What is the capital of France?";
  bool raw = false;
  std::int64_t tokens = 64;
  std::int64_t memory_limit = 0;  ///< bytes of each rank; 0: none
  tpx::SampleOptions sample{};
};

/// Reads the command line; where the program is to end with it, the exit code: 0 after --help, 2 after a usage
/// error. What there is to say is said if `speaks`.
inline std::optional<int> read_options(int argc, char** argv, bool speaks, Options& options) {
  CLI::App app("Answers a prompt by a published language model, split over all ranks.", "generate");
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  app.add_option(
         "--model", options.model,
         "a GGUF file or a folder with safetensors, of the Llama or the GPT-2 family; `random` is a small "
         "model of random weights, whose tokens are bytes")
      ->type_name("PATH")
      ->required();
  app.add_option("--prompt", options.prompt, "what to answer")->type_name("TEXT");
  app.add_flag("--raw", options.raw, "continue the prompt as it stands, without a chat template");
  app.add_option("--tokens", options.tokens, "of the answer, at most")
      ->check(CLI::Range(std::int64_t{1}, most));
  app.add_option("--temperature", options.sample.temperature,
                 "0 takes the likeliest token, more is more daring")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--top-k", options.sample.top_k, "draw from so many of the likeliest tokens; 0: from all")
      ->check(CLI::Range(std::int64_t{0}, most));
  app.add_option("--top-p", options.sample.top_p, "draw from the likeliest tokens that together are so likely")
      ->check(CLI::Range(1e-9, 1.0));
  app.add_option("--seed", options.sample.seed, "of the draws");
  app.add_option("--memory-limit", options.memory_limit, "of each rank's tensors: 300MB, 2GiB; 0: none")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(true));
  return example::parse(app, argc, argv, speaks);
}

}  // namespace generate
