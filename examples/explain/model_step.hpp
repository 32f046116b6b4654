// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cctype>
#include <cstdint>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <tpx/nn/llama.hpp>
#include <tpx/tensor/report.hpp>
#include <tpx/tpx.hpp>

#include "../support/result.hpp"
#include "options.hpp"

namespace explain {

using tpx::axes::dp;
using tpx::axes::tp;

/// What a training step of a model does on each rank of a mesh that need not be here.
struct ModelStep {
  std::vector<std::string> layouts;  ///< of the parameters, alike ones together, and of what is computed
  std::int64_t parameters = 0;       ///< of the whole model
  tpx::Report report{};
};

/// "block12.mlp.in.weight" to "block*.mlp.in.weight": what is alike in all blocks.
inline std::string without_number(const std::string& name) {
  const std::size_t first = name.find_first_of("0123456789");
  if (first == std::string::npos) return name;
  const std::size_t last = name.find_first_not_of("0123456789", first);
  return name.substr(0, first) + '*' + (last == std::string::npos ? "" : name.substr(last));
}

/// Runs a step as gpt_train does, forward, backward, reduced gradients, clipping and AdamW, without memory.
/// @param  make  gives the model
/// @throws tpx::Error where the extents do not fit each other or the mesh
template <class Mesh, class Make>
ModelStep run_step(const Mesh& mesh, const Options& options, const Make& make) {
  ModelStep step;
  step.report = tpx::report(mesh, [&] {
    auto model = make();
    using Model = decltype(model);
    tpx::Gradients<Model> gradients(model);
    tpx::AdamW<Model> optimizer(model);
    tpx::Tape<Mesh> tape(mesh);
    const auto ids =
        tpx::zeros<std::int32_t>(mesh, tpx::layout<tpx::Shard<0, dp>>, {options.batch, options.context});
    const auto logits = model.logits(tape.input(ids));
    const auto loss = tpx::cross_entropy<tpx::over<tp>>(logits, ids);
    backward(loss);
    const auto reduced = gradients.template reduce<tpx::over<dp, tp>>();
    optimizer.step(reduced, 1e-3, tpx::clip_grad_norm<tpx::over<dp, tp>>(reduced, model, 1.0));

    std::map<std::string, int> alike;
    std::vector<std::string> in_order;
    model.visit([&](const auto& p) {
      step.parameters += p.shape().count();
      const std::string line = without_number(p.track().state->name) + "  " + p.describe();
      if (alike[line]++ == 0) in_order.push_back(line);
    });
    for (const std::string& line : in_order)
      step.layouts.push_back(line + (alike[line] > 1 ? "  x " + std::to_string(alike[line]) : ""));
    step.layouts.push_back("ids  " + ids.describe());
    step.layouts.push_back("logits  " + logits.describe());
    step.layouts.push_back("loss  " + loss.describe());
  });
  return step;
}

template <class T, class Mesh>
ModelStep run_gpt_step(const Mesh& mesh, const Options& options) {
  tpx::GptConfig config;
  config.vocabulary = options.vocabulary;
  config.context = options.context;
  config.layers = options.layers;
  config.hidden = options.hidden;
  config.heads = options.heads;
  config.ffn = options.ffn;
  return run_step(mesh, options, [&] { return tpx::Gpt<T, Mesh, tp>(mesh, config); });
}

/// @tparam Plan  how the model is split over tp
template <class T, class Plan, class Mesh>
ModelStep run_llama_step(const Mesh& mesh, const Options& options) {
  tpx::LlamaConfig config;
  config.vocabulary = options.vocabulary;
  config.context = options.context;
  config.layers = options.layers;
  config.hidden = options.hidden;
  config.heads = options.heads;
  config.kv_heads = options.kv_heads == 0 ? options.heads : options.kv_heads;
  if (options.hidden % options.heads != 0)
    tpx::fail("explain: hidden is a multiple of heads; hidden = " + std::to_string(options.hidden) +
              ", heads = " + std::to_string(options.heads));
  config.head_dim = options.hidden / options.heads;
  config.ffn = options.ffn == 0 ? 4 * options.hidden : options.ffn;
  return run_step(mesh, options,
                  [&] { return tpx::parallelize<tpx::Llama, T, Plan>(mesh, config, tpx::RandomWeights(1)); });
}

/// Refuses what a 64-bit counter would not hold: about six operations for each parameter and token, and four
/// times three for each pair of tokens and feature.
inline void check_countable(const Options& o) {
  const auto of = [](std::int64_t n) { return static_cast<double>(n); };
  const double hidden = of(o.hidden), tokens = of(o.batch) * of(o.context);
  const double ffn = o.ffn == 0 ? 4 * hidden : of(o.ffn);
  const double parameters = of(o.layers) * hidden * (4 * hidden + 3 * ffn) + 2 * of(o.vocabulary) * hidden;
  const double flops = tokens * (6 * parameters + 12 * of(o.layers) * of(o.context) * hidden);
  if (flops > 4e18)
    tpx::fail("explain: a step of this model takes more operations than 63 bits count; make it smaller");
}

template <class T>
ModelStep run_model_step(const tpx::Grid& sizes, const Options& options) {
  const auto mesh = tpx::make_abstract_mesh<dp, tp>({sizes.size[0], sizes.size[1]});
  if (options.model == "gpt") return run_gpt_step<T>(mesh, options);
  if (options.sequence_parallel) return run_llama_step<T, tpx::SequenceParallel<tp>>(mesh, options);
  return run_llama_step<T, tpx::TensorParallel<tp>>(mesh, options);
}

inline ModelStep run_model_step(const tpx::MeshText& mesh, const Options& options) {
  tpx::Grid sizes{2, {1, 1}};
  for (int a = 0; a < mesh.grid.axes; ++a) {
    const std::string_view name = mesh.names[static_cast<std::size_t>(a)];
    if (name != dp::name && name != tp::name)
      tpx::fail("explain: a model is split over the axes dp and tp; the mesh has " + std::string(name));
    sizes.size[name == dp::name ? 0 : 1] = mesh.grid.size[a];
  }
  check_countable(options);
  return options.precision == "float" ? run_model_step<float>(sizes, options)
                                      : run_model_step<double>(sizes, options);
}

inline void print(const ModelStep& step, const Options& options) {
  std::printf("%s of %lld parameters, a step of %lld x %lld tokens\n\n",
              options.model == "gpt" ? "GPT" : "Llama", static_cast<long long>(step.parameters),
              static_cast<long long>(options.batch), static_cast<long long>(options.context));
  for (const std::string& line : step.layouts) std::printf("  %s\n", line.c_str());
  std::ostringstream table;
  table << step.report;
  std::printf("\nOn each rank, the first step with what it leaves in memory:\n\n%s\n", table.str().c_str());
}

/// {"parameters":...,"flops":...,"bytes":...,"peak":...,"comm":{"tp":{"all_reduce":{"calls":...,"elements":...}}}}
inline std::vector<example::Fact> facts(const ModelStep& step) {
  std::vector<example::Fact> axes, collectives;
  const auto entries = step.report.comm.entries();  // sorted by label
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const tpx::comm::CommEntry& e = entries[i];
    collectives.emplace_back(
        name(e.what),
        std::vector<example::Fact>{
            {"ranks", e.ranks}, {"calls", e.calls}, {"elements", e.elements}, {"bytes", e.bytes}});
    if (i + 1 < entries.size() && entries[i + 1].label == e.label) continue;
    axes.emplace_back(e.label, collectives);
    collectives.clear();
  }
  return {{"parameters", step.parameters},
          {"flops", step.report.work.flops},
          {"bytes", step.report.work.bytes},
          {"peak", step.report.peak},
          {"comm", axes}};
}

}  // namespace explain
