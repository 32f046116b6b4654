// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

#include "../support/command_line.hpp"
#include "published.hpp"

namespace plan {

struct Options {
  std::string model = "layers=24,hidden=2304,heads=24";
  std::string cluster = "a100";
  int ranks = 32;
  std::int64_t batch = 512;
  std::int64_t context = 2048;
  std::int64_t vocabulary = 51200;
  int bits = 32;
  bool overlap = false;
  bool scaling = false;
  bool published = false;
  bool measure = false;
  std::string files = TPX_PLAN_FILES;
};

/// "layers=24,hidden=2304,heads=24", or the name of a model in the published tables.
inline tpx::GptConfig read_model(const Options& options) {
  tpx::GptConfig config;
  config.context = options.context;
  config.vocabulary = options.vocabulary;
  if (options.model.find('=') == std::string::npos) {
    for (const PublishedRow& row : read_published(options.files + "/published/megatron_2021_a100.table").rows) {
      if (row.name != options.model) continue;
      config.hidden = row.job.model.hidden;
      config.layers = row.job.model.layers;
      config.heads = row.job.model.heads;
      return config;
    }
    tpx::fail("plan: there is no model '" + options.model +
              "'; name one of megatron_2021_a100.table, or its extents");
  }
  std::istringstream parts(options.model);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t equal = part.find('=');
    const std::string key = part.substr(0, equal);
    const double value = equal == std::string::npos ? 0 : tpx::detail::positive_number(part.substr(equal + 1));
    const auto number = static_cast<std::int64_t>(value);
    if (value < 1 || value > 1e9 || static_cast<double>(number) != value)
      tpx::fail("plan: '" + part + "' is no extent of a model; one is layers=24,hidden=2304,heads=24");
    if (key == "layers")
      config.layers = number;
    else if (key == "hidden")
      config.hidden = number;
    else if (key == "heads")
      config.heads = number;
    else if (key == "ffn")
      config.ffn = number;
    else
      tpx::fail("plan: a model has layers, hidden, heads and ffn, no '" + key + "'");
  }
  return config;
}

inline std::optional<int> read_options(int argc, char** argv, bool speaks, Options& options) {
  CLI::App app(
      "Finds the mesh to train a GPT on, and what a step takes there. What to do beside: --published, "
      "--measure.",
      "plan");
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const CLI::Validator positive = example::between(1, std::numeric_limits<std::int32_t>::max());
  app.add_option("--model", options.model, "layers=N,hidden=N,heads=N[,ffn=N], or a name: 1.7B ... 1008B");
  app.add_option("--cluster", options.cluster,
                 "a100, a100_40, h100, v100, a file, or `here`: the ranks of this run, measured");
  app.add_option("--gpus", options.ranks, "ranks to plan for")->check(positive);
  app.add_option("--batch", options.batch, "samples of a step over all ranks")->check(positive);
  app.add_option("--context", options.context, "positions")->check(positive);
  app.add_option("--vocabulary", options.vocabulary, "rows of the token table")->check(positive);
  app.add_option("--bits", options.bits,
                 "of values and gradients: 32 or 64, which the library trains, or 16, as the published runs")
      ->check(CLI::IsMember({16, 32, 64}));
  app.add_flag("--overlap", options.overlap, "gradients are reduced while backward still runs");
  app.add_flag("--scaling", options.scaling, "also strong and weak scaling up to these ranks");
  app.add_flag("--published", options.published, "predicts the published tables instead");
  app.add_flag("--measure", options.measure,
               "measures five models on the ranks of this run instead, beside predictions");
  return example::parse(app, argc, argv, speaks);
}

}  // namespace plan
