// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

#include "../support/command_line.hpp"

namespace gpt {

/// What the command line says; the defaults are what has been found to work for a few minutes on two cores.
struct Options {
  int dp = 1;                     ///< ranks that split the batch
  int pp = 1;                     ///< ranks that each have some of the layers
  int tp = 0;                     ///< ranks that split each layer; 0: what dp and pp leave
  int nodes = 1;                  ///< consecutive ranks that share memory; 0: those of one machine
  int zero = 0;                   ///< what dp ranks split beside the batch, tpx::DataParallelOptions
  std::int64_t bucket_bytes = 0;  ///< of what is sent over dp at a time; 0: by the model
  int sync_every = 1;
  std::string schedule = "1f1b";
  int micro_batches = 0;           ///< 0: as few as the schedule takes
  int chunks = 1;                  ///< of layers, on each pp rank
  std::string placement;           ///< of layers on stages; empty: evenly; measured: by cost
  std::string recompute = "none";  ///< what of each block backward computes again
  std::string text;                ///< a file; empty: the King James Bible
  std::int64_t layers = 3;
  std::int64_t hidden = 192;
  std::int64_t heads = 12;
  std::int64_t context = 64;
  std::int64_t batch = 24;
  std::int64_t steps = 2000;
  std::uint64_t seed = 1;
  double learning_rate = 4e-3;
  std::int64_t warm_up = 100;
  double weight_decay = 0.1;
  double clip = 1.0;
  double temperature = 0.8;
  std::string precision = "float";
  std::string progress = "auto";
  std::string save;          ///< folder for checkpoints; empty: none
  std::int64_t every = 100;  ///< steps between them
  std::string resume;        ///< folder of a checkpoint to go on from; empty: from the start
};

/// Reads "dp=2,pp=2,tp=2" into the options; the complaint where it is none.
inline std::string read_mesh(const std::string& text, Options& options) {
  const std::string form = "; a mesh is dp=N,pp=N,tp=N, or some of the three";
  std::string seen;
  std::istringstream parts(text + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t equal = part.find('=');
    const std::string axis = part.substr(0, equal);
    if (equal == std::string::npos || (axis != "dp" && axis != "pp" && axis != "tp"))
      return "'" + part + "' is no axis" + form;
    int size = 0;
    const char* const end = part.data() + part.size();
    const auto read = std::from_chars(part.data() + equal + 1, end, size);
    if (read.ec != std::errc() || read.ptr != end || size < 1)
      return "'" + part + "' is no number of ranks" + form;
    if (seen.find(axis) != std::string::npos) return axis + " is named twice" + form;
    seen += axis + " ";
    (axis == "dp" ? options.dp : axis == "pp" ? options.pp : options.tp) = size;
  }
  return {};
}

/// Reads "auto" or a number of ranks into the options; the complaint where it is neither.
inline std::string read_nodes(const std::string& text, Options& options) {
  if (text == "auto") {
    options.nodes = 0;
    return {};
  }
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, options.nodes);
  if (read.ec == std::errc() && read.ptr == end && options.nodes >= 1) return {};
  return "'" + text + "' is neither auto nor a number of ranks";
}

/// Reads the command line; where the program is to end with it, the exit code: 0 after --help, 2 after a
/// usage error. What there is to say is said if `speaks`.
inline std::optional<int> read_options(int argc, char** argv, bool speaks, Options& options) {
  CLI::App app(
      "Trains a character GPT on a text: layers over pp ranks, each split over tp ranks, the batch over dp "
      "ranks.",
      "gpt_train");
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  using example::between;
  const CLI::Validator positive = between(1, std::numeric_limits<std::int32_t>::max());

  app.add_option_function<std::string>(
         "--mesh",
         [&](const std::string& text) {
           const std::string complaint = read_mesh(text, options);
           if (!complaint.empty()) throw CLI::ValidationError("--mesh", complaint);
         },
         "dp=N,pp=N,tp=N; what is not named: dp=1, pp=1, and tp takes all ranks that are left")
      ->type_name("MESH");
  app.add_option_function<std::string>(
         "--nodes",
         [&](const std::string& text) {
           const std::string complaint = read_nodes(text, options);
           if (!complaint.empty()) throw CLI::ValidationError("--nodes", complaint);
         },
         "which ranks share memory, the others use MPI: auto: those of one machine; N: N at a time, as they "
         "are counted; none if not given")
      ->type_name("RANKS");
  app.add_option("--zero", options.zero,
                 "what dp ranks split: 1 the optimizer's state, 2 gradients, 3 parameters too")
      ->type_name("STAGE")
      ->check(between(0, 3));
  app.add_option(
         "--bucket-bytes", options.bucket_bytes,
         "most gradients, with --zero 3 parameters too, that go over dp at a time; 0: a layer's or more")
      ->check(between(0, std::numeric_limits<std::int32_t>::max()));
  app.add_option("--sync-every", options.sync_every,
                 "steps between averages of the parameters over dp; 1: gradients are summed every step")
      ->check(positive);
  app.add_option("--schedule", options.schedule, "of the micro-batches on pp ranks")
      ->type_name("NAME")
      ->check(CLI::IsMember({"gpipe", "1f1b", "interleaved"}));
  app.add_option("--micro-batches", options.micro_batches, "parts of a batch; 0: as few as the schedule takes")
      ->check(between(0, std::numeric_limits<std::int32_t>::max()));
  app.add_option("--chunks", options.chunks, "of layers on each pp rank, for interleaved")->check(positive);
  app.add_option(
         "--placement", options.placement,
         "layers of each stage, '1-2,3' for example, or measured: by what they cost here; evenly if not given")
      ->type_name("LAYERS");
  app.add_option("--recompute", options.recompute,
                 "what of each block backward computes again, so that less memory is needed")
      ->type_name("PART")
      ->check(CLI::IsMember({"none", "attention", "block"}));
  app.add_option("--text", options.text,
                 "text to train on (default: the King James Bible of the program `bible`)")
      ->type_name("FILE");
  app.add_option("--layers", options.layers, "transformer blocks")->check(positive);
  app.add_option("--hidden", options.hidden, "features of an activation, a multiple of heads")->check(positive);
  app.add_option("--heads", options.heads, "attention heads, a multiple of tp")->check(positive);
  app.add_option("--context", options.context, "characters that a prediction sees")->check(positive);
  app.add_option("--batch", options.batch, "samples in a step over all ranks")->check(positive);
  app.add_option("--steps", options.steps, "updates")->check(positive);
  app.add_option("--seed", options.seed, "of the weights, the batches and the sample");
  app.add_option("--learning-rate", options.learning_rate, "at its peak; it ends at a tenth")
      ->check(between(0, 1e9));
  app.add_option("--warm-up", options.warm_up, "steps until the peak")
      ->check(between(0, std::numeric_limits<std::int32_t>::max()));
  app.add_option("--weight-decay", options.weight_decay, "AdamW's")->check(between(0, 1e9));
  app.add_option("--clip", options.clip, "largest norm of a gradient")->check(between(1e-9, 1e9));
  app.add_option("--temperature", options.temperature, "of the sample: less is more careful")
      ->check(between(1e-3, 1e9));
  app.add_option("--precision", options.precision, "of the numbers that are computed with")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"float", "double"}));
  app.add_option("--progress", options.progress, "auto is a bar on a terminal and lines elsewhere")
      ->type_name("FORM")
      ->check(CLI::IsMember({"auto", "bar", "lines"}));
  app.add_option("--save", options.save, "folder that checkpoints go to; the newest two stay")
      ->type_name("DIR");
  app.add_option("--every", options.every, "steps between checkpoints; one more comes at the end")
      ->check(positive);
  app.add_option("--resume", options.resume, "folder whose newest checkpoint to go on from, stored on any mesh")
      ->type_name("DIR");
  return example::parse(app, argc, argv, speaks);
}

}  // namespace gpt
