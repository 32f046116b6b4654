// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "../support/command_line.hpp"

namespace embed {

/// What the command line says.
struct Options {
  std::string model, file;
  std::int64_t longest = 256;
  std::int64_t memory_limit = 0;  ///< bytes of each rank; 0: none
};

/// Reads the command line; where the program is to end with it, the exit code: 0 after --help, 2 after a usage
/// error. What there is to say is said if `speaks`.
inline std::optional<int> read_options(int argc, char** argv, bool speaks, Options& options) {
  CLI::App app("Embeds the sentences of a file, one a line, by a published encoder, split over all ranks.",
               "embed");
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option(
         "--model", options.model,
         "a folder with safetensors, of the BERT family; `random` is a small model of random weights, whose "
         "tokens are bytes")
      ->type_name("PATH")
      ->required();
  app.add_option("file", options.file, "the sentences, one a line")->type_name("FILE")->required();
  app.add_option("--longest", options.longest, "tokens of a sentence that are looked at")
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{std::numeric_limits<std::int32_t>::max()}));
  app.add_option("--memory-limit", options.memory_limit, "of each rank's tensors: 300MB, 2GiB; 0: none")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(true));
  return example::parse(app, argc, argv, speaks);
}

}  // namespace embed
