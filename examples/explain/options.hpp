// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "../support/command_line.hpp"

namespace explain {

/// What the command line says.
struct Options {
  std::string mesh = "dp=2,tp=4";
  std::vector<std::string> tensors;  ///< to be drawn
  std::string svg;                   ///< the file that the drawing goes to; empty: none
  std::string schedule;              ///< of a pipeline; empty: none
  int micro_batches = 0;             ///< 0: as few as the schedule takes
  int chunks = 1;                    ///< of layers on each pp rank
  std::string from, to;              ///< a redistribution; empty: none
  std::string model;                 ///< empty: none
  std::int64_t layers = 4;
  std::int64_t hidden = 256;
  std::int64_t heads = 16;
  std::int64_t kv_heads = 0;  ///< 0: as many as heads
  std::int64_t ffn = 0;       ///< features inside the MLP; 0: four times hidden
  bool sequence_parallel = false;
  std::int64_t context = 128;
  std::int64_t vocabulary = 1024;
  std::int64_t batch = 16;
  std::string precision = "float";
};

/// Reads the command line; where the program is to end with it, the exit code.
inline std::optional<int> read_options(int argc, char** argv, Options& options) {
  CLI::App app(
      "Shows layouts, redistributions, pipelines and what a training step communicates, on a mesh that need "
      "not be here. A tensor is written as tpx prints it, f32[8@dp,16]{P:tp}: 8 x 16 floats, dim 0 split over "
      "dp, terms of a sum on tp. Nothing asked for: a small GPT.",
      "explain");
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const CLI::Validator positive = example::between(1, 1e7);

  app.add_option("--mesh", options.mesh,
                 "one to four axes of any names and their sizes, the last one innermost")
      ->type_name("AXIS=N,...");
  app.add_option("--tensor", options.tensors, "draws who owns what of it; may be given several times")
      ->type_name("TENSOR")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  CLI::Option* schedule =
      app.add_option("--schedule", options.schedule, "draws who computes what when on the axis pp");
  schedule->type_name("NAME")->check(CLI::IsMember({"gpipe", "1f1b", "interleaved"}))->excludes("--tensor");
  app.add_option("--micro-batches", options.micro_batches, "parts of a batch; 0: as few as the schedule takes")
      ->check(example::between(0, 10000))
      ->needs(schedule);
  app.add_option("--chunks", options.chunks, "of layers on each pp rank, for interleaved")
      ->check(example::between(1, 10000))
      ->needs(schedule);
  app.add_option("--svg", options.svg, "draws the schedule or the last tensor into this file, too")
      ->type_name("FILE");
  CLI::Option* from = app.add_option("--from", options.from, "the plan of a redistribution from this ...");
  CLI::Option* to =
      app.add_option("--to", options.to, "... to this tensor, of the same shape, and its backward");
  from->type_name("TENSOR")->needs(to);
  to->type_name("TENSOR")->needs(from);
  app.add_option("--model", options.model, "what a training step of it communicates, on the axes dp and tp")
      ->type_name("NAME")
      ->check(CLI::IsMember({"gpt", "llama"}));
  app.add_option("--layers", options.layers, "transformer blocks")->check(example::between(1, 10000));
  app.add_option("--hidden", options.hidden, "features of an activation, a multiple of heads")->check(positive);
  app.add_option("--heads", options.heads, "attention heads, a multiple of tp")->check(positive);
  app.add_option("--kv-heads", options.kv_heads, "of keys and values, for llama; 0: as many as heads")
      ->check(example::between(0, 1e7));
  app.add_option("--ffn", options.ffn, "features inside the MLP, a multiple of tp; 0: four times hidden")
      ->check(example::between(0, 1e7));
  app.add_flag("--sequence-parallel", options.sequence_parallel,
               "llama's stream of activations is split over the positions");
  app.add_option("--context", options.context, "positions of a sample")->check(positive);
  app.add_option("--vocabulary", options.vocabulary, "kinds of tokens, a multiple of tp")->check(positive);
  app.add_option("--batch", options.batch, "samples in a step over all ranks, a multiple of dp")
      ->check(positive);
  app.add_option("--precision", options.precision, "of the numbers that are computed with")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"float", "double"}));
  if (const auto code = example::parse(app, argc, argv, true)) return code;
  const bool draws = !options.tensors.empty() || !options.schedule.empty();
  if (!options.svg.empty() && !draws) {
    std::fprintf(stderr, "error: --svg requires --tensor or --schedule\n");
    return 2;
  }
  if (!draws && options.from.empty() && options.model.empty()) options.model = "gpt";
  if (options.model != "llama" && (options.kv_heads != 0 || options.sequence_parallel)) {
    std::fprintf(stderr, "error: --kv-heads and --sequence-parallel require --model llama\n");
    return 2;
  }
  return std::nullopt;
}

}  // namespace explain
