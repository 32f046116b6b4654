// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tpx beside the same program written by hand in MPI and the BLAS, with the same collectives: forward and
// backward of an MLP of (rows, hidden, ffn) and of a transformer block of (positions, hidden). The _same_gemm
// twins multiply by tpx's kernels instead of the BLAS, which are faster for few rows: then only the abstraction
// is compared.
//
//                          predicted                                                      limit  on one rank
//   twin_mlp_large         13 ops of 0.1 us beside 240 ms; biases not in place, 0.5 ms     1.002  1.002
//   twin_block_large       45 ops beside 100 ms; 12 more passes over 2 MB, 1 ms            1.01   1.00 - 1.007
//   twin_mlp_small         the BLAS takes twice as long for 8 rows: 28 us become 20        0.75   0.74
//   twin_block_small       the same, 48 us become 33                                       0.70   0.70
//   twin_mlp_small_same_gemm     13 ops of 0.1 us beside 20 us                             1.06   1.06
//   twin_block_small_same_gemm   45 ops of 0.1 us beside 29 us                             1.15   1.13
#include <tpx/nn/transformer.hpp>

#include "block.hpp"
#include "mlp.hpp"
#include "twin_block.hpp"
#include "twin_mlp.hpp"

namespace tpx::benchmark {
namespace {

struct MlpSize {
  std::int64_t rows, hidden, ffn;
};
constexpr MlpSize large{1024, 1024, 4096}, small{8, 64, 256}, tiny{4, 16, 32};
constexpr BlockSize large_block{4, 256, 512, 8, 2048}, small_block{1, 8, 64, 4, 256},
    tiny_block{1, 4, 16, 2, 32};

auto the_mesh(const Run& run) { return make_mesh_on<axes::tp>(Space(), run.world); }
using Mesh = decltype(the_mesh(std::declval<Run>()));

template <class Gemm>
TwinMlp<Gemm> twin_of(const Run& run, const Mlp<Mesh>& mlp) {
  return {run.world.native(),
          static_cast<int>(mlp.x.extent(0)),
          static_cast<int>(mlp.x.extent(1)),
          static_cast<int>(mlp.b1.local_count()),
          local_values(mlp.x),
          local_values(mlp.w1),
          local_values(mlp.b1),
          local_values(mlp.w2),
          local_values(mlp.b2)};
}

void expect_same(const Run& run, const char* what, const std::vector<float>& found, const Floats& expected) {
  expect_equal(run, what, found, expected.data(), expected.size());
}

template <class Gemm>
Comparison mlp_over_twin(const Run& run, MlpSize size) {
  if (run.smoke) size = tiny;
  Mlp<Mesh> mlp(the_mesh(run), size.rows, size.hidden, size.ffn);
  TwinMlp<Gemm> twin = twin_of<Gemm>(run, mlp);
  for (int twice = 0; twice < 2; ++twice) {
    const auto [y, dx] = fresh(mlp).step();
    fresh(twin).step();
    expect_same(run, "y", local_values(y), twin.y);
    expect_same(run, "dx", local_values(dx), twin.dx);
    expect_same(run, "dw1", local_values(gradient(mlp.w1)), twin.dw1);
    expect_same(run, "db1", local_values(gradient(mlp.b1)), twin.db1);
    expect_same(run, "dw2", local_values(gradient(mlp.w2)), twin.dw2);
    expect_same(run, "db2", local_values(gradient(mlp.b2)), twin.db2);
  }
  return compare(
      run.world.native(), run.effort, [&] { fresh(mlp).step(); }, [&] { fresh(twin).step(); });
}

template <class Gemm>
Comparison block_over_twin(const Run& run, BlockSize size) {
  if (run.smoke) size = tiny_block;
  const Mesh mesh = the_mesh(run);
  Block<Mesh, TransformerBlock<float, Mesh, axes::tp>, layout_t<>> block(mesh, size);
  std::vector<std::vector<float>> values;
  block.layer.visit([&](auto& p) { values.push_back(local_values(p)); });
  const int head_dim = size.hidden / size.heads, ranks = mesh.size();
  size.heads /= ranks;
  size.ffn /= ranks;
  TwinBlock<Gemm> twin(run.world.native(), size, head_dim, local_values(block.x), values);
  for (int twice = 0; twice < 2; ++twice) {
    const auto [y, dx] = fresh(block).step();
    fresh(twin).step();
    expect_same(run, "y", local_values(y), twin.y);
    expect_same(run, "dx", local_values(dx), twin.dx);
    float scale = 0.1F;
    for (const Floats& g : twin.gradient)
      for (std::size_t k = 0; k < g.size(); ++k) scale = std::max(scale, std::abs(g.data()[k]));
    std::size_t i = 0;
    block.layer.visit([&](auto& p) {
      const Floats& expected = twin.gradient[i++];
      expect_equal(run, p.track().state->name.c_str(), local_values(gradient(p)), expected.data(),
                   expected.size(), scale);
    });
  }
  return compare(
      run.world.native(), run.effort, [&] { fresh(block).step(); }, [&] { fresh(twin).step(); });
}

Comparison twin_over_twin(const Run& run, MlpSize size) {
  if (run.smoke) size = tiny;
  const Mlp<Mesh> mlp(the_mesh(run), size.rows, size.hidden, size.ffn);
  TwinMlp<Blas> one = twin_of<Blas>(run, mlp), other = twin_of<Blas>(run, mlp);
  fresh(one).step();
  fresh(other).step();
  return compare(
      run.world.native(), run.effort, [&] { fresh(one).step(); }, [&] { fresh(other).step(); });
}

constexpr Benchmark benchmarks[] = {
    {"twin_mlp_large", 1.01, Goal::at_most, [](const Run& r) { return mlp_over_twin<Blas>(r, large); }},
    {"twin_mlp_small", 1.05, Goal::at_most, [](const Run& r) { return mlp_over_twin<Blas>(r, small); }},
    {"twin_mlp_small_same_gemm", 1.05, Goal::at_most,
     [](const Run& r) { return mlp_over_twin<SameGemm>(r, small); }},
    {"twin_block_large", 1.01, Goal::at_most,
     [](const Run& r) { return block_over_twin<Blas>(r, large_block); }},
    {"twin_block_small", 1.05, Goal::at_most,
     [](const Run& r) { return block_over_twin<Blas>(r, small_block); }},
    {"twin_block_small_same_gemm", 1.05, Goal::at_most,
     [](const Run& r) { return block_over_twin<SameGemm>(r, small_block); }},
    // What the machine can resolve.
    {"twin_over_itself", 1.01, Goal::at_most, [](const Run& r) { return twin_over_twin(r, small); }},
    {"twin_over_itself_large", 1.01, Goal::at_most, [](const Run& r) { return twin_over_twin(r, large); }},
};

}  // namespace

std::span<const Benchmark> twin_benchmarks() { return benchmarks; }

}  // namespace tpx::benchmark
