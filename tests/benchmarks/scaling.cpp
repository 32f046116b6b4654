// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a second rank brings: two ranks of one thread beside one, through memory that they share. While one rank
// works alone the other sleeps.
//
// Predicted from products at 110 GF/s a rank, weights read at 25 GB/s from memory and 100 GB/s from the cache,
// 0.1 us an op, and an all-reduce of 0.5 us and its bytes at 8 GB/s (block: 12 h^2 parameters, four all-reduces
// of (s, h) in a training step, two in a forward; work that all ranks do alike, norms and residuals, about 10
// passes over (s, h)):
//
//   block_tp2_over_half    h 512, s 256: 22 ms of products, 4 x 65 us of sums, 0.5 ms of common work     1.03
//   mlp_speedup_2          half of 240 ms, 2 x 0.5 ms of sums, 1 ms of common work                       1.97
//   mlp_comm_over_none     a row of h 256: 2 x 0.5 us beside 25 us and 20 ops                            1.04
//   weak_scaling_2         as block_tp2_over_half, from the other side                                   0.96
//   crossover_training     h 16: 2.4 MF are 22 us, the half is more than 4 x 1.5 us                      16
//   crossover_decoding     h 96: 0.4 MB at 100 GB/s are 4 us, the half is more than 2 x 0.5 us and       96
//                          what is not split
//
// Found for the block on two cores of a 2.6 GHz EPYC, half of one rank's time being 24 ms:
//
//   halves that send nothing     1.00 to 1.01 one rank at a time, 1.015 to 1.03 both at once: the cores share
//                                cache and memory, which is the limit of both ratios
//   bias and residual added in the pass that sums, each rank its rows; sums and additions in the memory of
//   temporaries (predicted: 0.2 ms less in collectives, 0.2 ms less in additions, so 0.015 less of the ratio)
//     in collectives             0.23 to 0.50 ms became 0.13, with both additions in it; additions apart from
//                                them 0.28 ms became 0.09
//     block_tp2_over_half        1.030 to 1.052 became 1.023 to 1.037 in runs that took turns
//     block_tp2_sp_over_half     1.020 to 1.040 became 1.020 to 1.026
//   norms, forward and backward  0.23 ms, half of which is in the share too: what is left of common work
//   a product for each shard where it lies instead of one of the gathered (not done: backward needs the copy)
//     (256 x 512) x 256, x 1024  18 and 86 us more, as the weight is packed for each; the copy takes 12 to 22
#include <tpx/comm/shared_memory.hpp>
#include <tpx/nn/transformer.hpp>

#include "../nn/sequence_block.hpp"
#include "block.hpp"
#include "mlp.hpp"

namespace tpx::benchmark {
namespace {

using axes::tp;
using Mesh = DeviceMesh<comm::SharedMemory, Space, tp>;
using Whole = Block<Mesh, TransformerBlock<float, Mesh, tp>, layout_t<>>;
using Split = Block<Mesh, test::SequenceBlock<float, Mesh, tp>, layout_t<Shard<1, tp>>>;

Mesh together(const Run& run) { return make_mesh_on<tp>(Space(), comm::SharedMemory::over(run.world)); }
Mesh alone(const Run& run) {
  const int self[] = {run.world.rank()};
  return make_mesh_on<tp>(Space(), comm::SharedMemory::over(run.world.subgroup(self)));
}

/// The time of one rank working alone over that of all ranks together.
template <class One, class All>
Comparison speedup(const Run& run, One&& one, All&& all) {
  const MPI_Comm world = run.world.native();
  for (int twice = 0; twice < 2; ++twice) {
    one();
    all();
  }
  return compare_samples(
      run.effort, [&](int calls) { return seconds_alone(world, calls, one); },
      [&](int calls) { return seconds(world, calls, all); });
}

/// All ranks together over one alone, times the ranks: 1 is as it should be.
template <class Two>
Comparison block_over_share(const Run& run, BlockSize size) {
  if (run.smoke) size = {1, 4, 16, 4, 32};
  const Mesh mesh = together(run), self = alone(run);
  Two two(mesh, size);
  Whole one(self, size);
  const auto [y, dx] = two.step();
  const auto [y1, dx1] = one.step();
  const std::vector<float> expected = gather(y1), expected_dx = gather(dx1);
  expect_equal(run, "y", gather(y), expected.data(), expected.size());
  expect_equal(run, "dx", gather(dx), expected_dx.data(), expected_dx.size());
  const Comparison c = speedup(
      run, [&] { fresh(one).step(); }, [&] { fresh(two).step(); });
  const double share = mesh.size();
  return {{share / c.ratio.median, share / c.ratio.high, share / c.ratio.low},
          c.second,
          c.first / share,
          c.pairs,
          c.calls};
}

/// An MLP's step over that of its half on each rank, which sends nothing; the worst of some numbers of rows.
Comparison mlp_comm_over_none(const Run& run) {
  const Mesh mesh = together(run), self = alone(run);
  Comparison worst;
  for (const std::int64_t rows : {1, 8, 64, 512}) {
    const std::int64_t hidden = run.smoke ? 16 : 256, ffn = run.smoke ? 32 : 1024;
    Mlp<Mesh> mlp(mesh, rows, hidden, ffn), half(self, rows, hidden, ffn / mesh.size());
    const auto step = [&] { fresh(mlp).step(); };
    const auto silent = [&] { fresh(half).step(); };
    for (int twice = 0; twice < 2; ++twice) {
      step();
      silent();
    }
    const Comparison c = compare(run.world.native(), run.effort, step, silent);
    if (run.speaks()) std::printf("  %4lld rows %32.4f\n", static_cast<long long>(rows), c.ratio.median);
    if (worst.pairs == 0 || c.ratio.median > worst.ratio.median) worst = c;
  }
  return worst;
}

Comparison mlp_speedup(const Run& run) {
  const std::int64_t rows = run.smoke ? 4 : 1024, hidden = run.smoke ? 16 : 1024, ffn = run.smoke ? 32 : 4096;
  Mlp<Mesh> all(together(run), rows, hidden, ffn), one(alone(run), rows, hidden, ffn);
  return speedup(
      run, [&] { fresh(one).step(); }, [&] { fresh(all).step(); });
}

/// Operations of one step on this rank.
double operations(Whole& block, const Mesh& mesh) {
  mesh.context().reset_work();
  block.step();
  return static_cast<double>(mesh.context().work().flops);
}

/// A row of the table that Megatron-LM prints: what each rank achieves, and how much of a lone one's that is.
void print_row(const Run& run, BlockSize size, int ranks, double seconds, double flops, double efficiency) {
  if (!run.speaks()) return;
  const double parameters = 1e-6 * size.hidden * (4.0 * size.hidden + 2.0 * size.ffn);
  std::printf("  hidden %4d  heads %2d  parameters %5.2f M  ranks %d  %8.3f ms  %6.1f GF/s a rank  %5.1f %%\n",
              size.hidden, size.heads, parameters, ranks, 1e3 * seconds, 1e-9 * flops / seconds,
              100 * efficiency);
}

/// What each of two ranks achieves in operations a second over what one alone does: on the same block (strong),
/// or on one of as many parameters as there are ranks more (weak).
Comparison scaling(const Run& run, BlockSize small, BlockSize large) {
  if (run.smoke) small = large = {1, 4, 16, 4, 32};
  const Mesh mesh = together(run), self = alone(run);
  Whole all(mesh, large), one(self, small);
  const double of_all = operations(all, mesh), of_one = operations(one, self);
  const Comparison c = scaled(speedup(
                                  run, [&] { fresh(one).step(); }, [&] { fresh(all).step(); }),
                              of_all / of_one);
  print_row(run, small, 1, c.first, of_one, 1);
  print_row(run, large, mesh.size(), c.second, of_all, c.ratio.median);
  return c;
}

/// The smallest hidden size from which on all ranks together are faster than one; 1024 where none is found.
template <class Step>
Comparison crossover(Run run, int positions, Step&& step) {
  if (run.effort.pairs == 0) run.effort.pairs = 41;
  const Mesh mesh = together(run), self = alone(run);
  double from = 0;
  for (const int hidden : {16, 32, 48, 64, 96, 128, 192, 256, 384, 512}) {
    if (run.smoke && hidden > 32) break;
    const BlockSize size{1, positions, hidden, 4, 4 * hidden};
    Whole all(mesh, size), one(self, size);
    const Comparison c = speedup(
        run, [&] { step(one); }, [&] { step(all); });
    if (run.speaks()) std::printf("  hidden %4d %30.4f\n", hidden, c.ratio.median);
    if (c.ratio.median <= 1) from = 0;
    if (c.ratio.median > 1 && from == 0) from = hidden;
  }
  return just(from == 0 ? 1024 : from);
}

constexpr BlockSize block{1, 256, 512, 8, 2048}, twice_the_block{1, 256, 720, 8, 2880};

constexpr Benchmark benchmarks[] = {
    {"mlp_comm_over_none", 1.04, Goal::at_most, mlp_comm_over_none},
    {"mlp_speedup_2", 1.9, Goal::at_least, mlp_speedup},
    {"block_tp2_over_half", 1.08, Goal::at_most,
     [](const Run& r) { return block_over_share<Whole>(r, block); }},
    {"block_tp2_sp_over_half", 1.08, Goal::at_most,
     [](const Run& r) { return block_over_share<Split>(r, block); }},
    {"strong_scaling_2", 0.92, Goal::at_least, [](const Run& r) { return scaling(r, block, block); }},
    {"weak_scaling_2", 0.92, Goal::at_least, [](const Run& r) { return scaling(r, block, twice_the_block); }},
    {"crossover_training_hidden", 32, Goal::at_most,
     [](const Run& r) { return crossover(r, 128, [](Whole& b) { fresh(b).step(); }); }},
    {"crossover_decoding_hidden", 128, Goal::at_most,
     [](const Run& r) { return crossover(r, 1, [](Whole& b) { fresh(b).forward(); }); }},
};

}  // namespace

std::span<const Benchmark> scaling_benchmarks() { return benchmarks; }

}  // namespace tpx::benchmark
