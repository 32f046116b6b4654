// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/comm_log.hpp>
#include <tpx/core/error.hpp>
#include <tpx/nn/gpt.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

namespace tpx {

/// What one rank does in one pass over a part of a model: its kernels and its collectives.
struct PassWork {
  std::vector<Launch> launches;
  std::vector<comm::CommCall> calls;
};

/// How many elements of a parameter a rank of a tensor axis holds.
struct ParameterSize {
  std::string name;
  std::int64_t count = 0;
};

/// A GPT as one rank of a tensor axis sees it, for one micro-batch, in float: what a block costs, and what the
/// two ends, the embedding and the output layer with its loss, cost together. Read off the library's own
/// forward and backward on an abstract mesh; no second formula says what is communicated, kept or, where the
/// config has it so, computed again.
struct GptParts {
  std::vector<ParameterSize> sizes;  ///< of the ends' parameters and one block's, in the model's order
  PassWork block_forward, block_backward;
  PassWork ends_forward, ends_backward;
  std::int64_t samples = 1;                                ///< of the micro-batch
  std::int64_t block_parameters = 0, ends_parameters = 0;  ///< elements that this rank holds
  std::int64_t block_saved = 0, ends_saved = 0;            ///< bytes that the tape keeps for backward
  std::int64_t block_workspace = 0, ends_workspace = 0;    ///< bytes that backward needs beside, at most
  std::int64_t activation = 0;                             ///< bytes of what goes from one block to the next
};

namespace detail {

struct AbstractPasses {
  std::vector<ParameterSize> sizes;
  PassWork forward, backward;
  std::int64_t parameters = 0, saved = 0;
  std::int64_t peak_in_end = 0, peak_in_blocks = 0;  ///< of backward, with what is saved
};

/// One forward and backward of the model with this many layers, on the first rank of a tensor axis.
inline AbstractPasses abstract_passes(GptConfig config, std::int64_t layers, int ranks, std::int64_t samples) {
  using axes::dp;
  using axes::tp;
  config.layers = layers;
  const auto mesh = make_abstract_mesh<dp, tp>({1, ranks});
  using Mesh = std::decay_t<decltype(mesh)>;
  Gpt<float, Mesh, tp> model(mesh, config);
  AbstractPasses passes;
  // As after a first step: gradients of parameters stay, and are counted with the parameters.
  model.visit([&](const auto& p) {
    passes.parameters += p.local_count();
    passes.sizes.push_back({p.track().state->name, p.local_count()});
    p.track().state->gradient = allocate<float>(mesh, p.local_count());
  });
  Tape<Mesh> tape(mesh);
  const auto ids = zeros<std::int32_t>(mesh, tpx::layout<Shard<0, dp>>, {samples, config.context});
  auto& pool = mesh.context().pool();
  // A mesh of one rank communicates nothing, and may have no communicator to ask.
  const auto restart = [&] {
    mesh.context().keep_order(true);
    mesh.log().clear();
    mesh.log().keep_order(true);
  };
  const auto passed = [&] { return PassWork{mesh.context().launches(), mesh.log().calls()}; };

  restart();
  const std::int64_t before = pool.in_use();
  const auto loss = model.loss(tape.input(ids), ids);
  passes.forward = passed();
  passes.saved = pool.in_use() - before;
  restart();
  pool.reset_peak();
  backward(loss, [&](const ParameterState& state) {
    if (state.name.rfind("norm", 0) != 0) return;  // the first layer that backward comes out of
    passes.peak_in_end = std::max(passes.peak_in_end, pool.peak() - before);
    pool.reset_peak();
  });
  passes.backward = passed();
  passes.peak_in_blocks = pool.peak() - before;
  return passes;
}

/// Takes out of `twice` what it has more than `once`: one period of what repeats. The rest stays in `once`.
template <class Event>
std::vector<Event> take_period(std::vector<Event>& once, const std::vector<Event>& twice) {
  const auto length = static_cast<std::ptrdiff_t>(twice.size()) - static_cast<std::ptrdiff_t>(once.size());
  const auto common = std::mismatch(once.begin(), once.end(), twice.begin(), twice.end()).first - once.begin();
  TPX_EXPECTS(0 <= length && length <= common, length, common, "each layer of a model does the same");
  std::vector<Event> period(once.begin() + (common - length), once.begin() + common);
  once.erase(once.begin() + (common - length), once.begin() + common);
  return period;
}

}  // namespace detail

/// Runs the model with one and with two layers on an abstract mesh; what the second adds is a block.
///
/// @param  ranks    of the tensor axis
/// @param  samples  of a micro-batch on this rank
/// @comm   none
/// @throws tpx::Error where the model does not fit the tensor axis
inline GptParts gpt_parts(const GptConfig& config, int ranks, std::int64_t samples) {
  TPX_EXPECTS(samples >= 1, samples, "a micro-batch has a sample");
  detail::AbstractPasses one = detail::abstract_passes(config, 1, ranks, samples);
  const detail::AbstractPasses two = detail::abstract_passes(config, 2, ranks, samples);
  GptParts parts;
  parts.samples = samples;
  parts.sizes = std::move(one.sizes);
  parts.block_forward.launches = detail::take_period(one.forward.launches, two.forward.launches);
  parts.block_forward.calls = detail::take_period(one.forward.calls, two.forward.calls);
  parts.block_backward.launches = detail::take_period(one.backward.launches, two.backward.launches);
  parts.block_backward.calls = detail::take_period(one.backward.calls, two.backward.calls);
  parts.ends_forward = std::move(one.forward);
  parts.ends_backward = std::move(one.backward);
  parts.block_parameters = two.parameters - one.parameters;
  parts.ends_parameters = one.parameters - parts.block_parameters;
  parts.block_saved = two.saved - one.saved;
  parts.ends_saved = std::max<std::int64_t>(0, one.saved - parts.block_saved);
  parts.ends_workspace = std::max<std::int64_t>(0, one.peak_in_end - one.saved);
  parts.block_workspace = std::max<std::int64_t>(0, one.peak_in_blocks - parts.block_saved);
  parts.activation = samples * config.context * config.hidden * std::int64_t{sizeof(float)};
  return parts;
}

}  // namespace tpx
