// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One token of a Llama with SmolLM2's extents, but for fewer layers and a smaller vocabulary, beside the same
// step written by hand in MPI and the BLAS, and how much of it is spent in collectives.
#include <tpx/nn/generate.hpp>
#include <tpx/nn/llama.hpp>
#include <tpx/tensor/host_copy.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "twin_decode.hpp"

namespace tpx::benchmark {
namespace {

using tp = axes::tp;

auto the_mesh(const Run& run) { return make_mesh_on<tp>(Space(), run.world); }
using Mesh = decltype(the_mesh(std::declval<Run>()));
using Model = Llama<float, Mesh, TensorParallel<tp>>;

constexpr int position = 64;  // at which a token is decoded

LlamaConfig extents(const Run& run) {
  LlamaConfig c;
  c.vocabulary = run.smoke ? 64 : 12288;
  c.context = 128;
  c.layers = run.smoke ? 1 : 6;
  c.hidden = run.smoke ? 36 : 576;
  c.heads = 9;
  c.kv_heads = 3;
  c.head_dim = run.smoke ? 4 : 64;
  c.ffn = run.smoke ? 48 : 1536;
  c.rope_base = 1e5;
  c.tied = true;
  return c;
}

template <class Gemm>
TwinDecode<Gemm> twin_of(const Run& run, Model& model) {
  typename TwinDecode<Gemm>::Weights weights;
  DecodeExtents n{};
  model.visit([&](const auto& p) {
    const std::string& name = p.track().state->name;
    weights[name] = local_values(p);
    const Shape local = p.local_shape();
    if (name == "model.embed_tokens.weight") {
      n.vocabulary = static_cast<int>(local[0]);
      n.first_token = static_cast<int>(p.distribution().piece(0).offset);
    } else if (name == "model.layers.0.self_attn.k_proj.weight") {
      n.groups = static_cast<int>(local[1]);
    } else if (name == "model.layers.0.mlp.up_proj.weight") {
      n.ffn = static_cast<int>(local[1]);
    }
  });
  const LlamaConfig& c = model.config();
  n.layers = static_cast<int>(c.layers);
  n.hidden = static_cast<int>(c.hidden);
  n.head_dim = static_cast<int>(c.head_dim);
  n.queries_per_group = static_cast<int>(c.heads / c.kv_heads);
  n.capacity = static_cast<int>(c.context);
  n.epsilon = static_cast<float>(c.epsilon);
  n.rope_base = static_cast<float>(c.rope_base);
  return TwinDecode<Gemm>(run.world.native(), n, weights);
}

/// A prompt as long as the position, read by both.
std::vector<std::int32_t> prompt_of(const LlamaConfig& c) {
  std::vector<std::int32_t> prompt;
  for (int i = 0; i < position; ++i) prompt.push_back(static_cast<std::int32_t>(i * 7919 % c.vocabulary));
  return prompt;
}

template <class Gemm>
Comparison decode_over_twin(const Run& run) {
  const LlamaConfig config = extents(run);
  Model model(the_mesh(run), config, RandomWeights(1, 0.05));
  Generator<Model> generator(model, 1, config.context);
  TwinDecode<Gemm> twin = twin_of<Gemm>(run, model);
  const std::vector<std::int32_t> prompt = prompt_of(config);
  std::int32_t token = generator.start({prompt}, {})[0];
  int same = 0;
  for (int i = 0; i < position; ++i) same = twin.step(prompt[static_cast<std::size_t>(i)], i);
  for (int i = position; i < position + 8; ++i) {
    if (largest(same == token ? 0 : 1, run.world.native()) != 0)
      fail("tpx_benchmarks: the two ways differ: token " + std::to_string(token) + " of tpx, " +
           std::to_string(same) + " of the twin, at position " + std::to_string(i));
    token = generator.next({token}, {})[0];
    same = twin.step(same, i);
  }
  std::vector<std::int32_t> next(1);
  std::size_t calls = 0, twin_calls = 0;
  const auto one = [&] {
    generator.rewind(position);
    next[0] = prompt[++calls % position];
    token = generator.next(next, {})[0];
  };
  return compare(run.world.native(), run.effort, one,
                 [&] { same = twin.step(prompt[++twin_calls % position], position); });
}

/// The collectives of a step by themselves, over the whole step.
Comparison decode_comm_share(const Run& run) {
  const LlamaConfig config = extents(run);
  const Mesh mesh = the_mesh(run);
  Model model(mesh, config, RandomWeights(1, 0.05));
  Generator<Model> generator(model, 1, config.context);
  const std::vector<std::int32_t> prompt = prompt_of(config);
  generator.start({prompt}, {});
  std::vector<float> terms(static_cast<std::size_t>(config.hidden));
  std::vector<double> mine(2), all(2 * static_cast<std::size_t>(run.world.size()));
  const auto communicate = [&] {
    negate(terms.data(), config.hidden);
    for (std::int64_t i = 0; i < 1 + 2 * config.layers; ++i)
      detail::all_reduce(mesh, 1U, static_cast<const float*>(terms.data()), terms.data(), config.hidden);
    detail::all_gather(mesh, 1U, static_cast<const double*>(mine.data()), all.data(), 2);
  };
  std::vector<std::int32_t> next(1);
  std::size_t calls = 0;
  const auto step = [&] {
    generator.rewind(position);
    next[0] = prompt[++calls % position];
    generator.next(next, {});
  };
  communicate();
  step();
  return compare(run.world.native(), run.effort, communicate, step);
}

constexpr Benchmark benchmarks[] = {
    {"decode_over_twin", 1.03, Goal::at_most, decode_over_twin<Blas>},
    {"decode_over_twin_same_gemm", 1.03, Goal::at_most, decode_over_twin<SameGemm>},
    {"decode_comm_share", 0.1, Goal::at_most, decode_comm_share},
};

}  // namespace

std::span<const Benchmark> decode_benchmarks() { return benchmarks; }

}  // namespace tpx::benchmark
