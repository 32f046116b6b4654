// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a rank does by itself: the linear layer of a single row, whose time is the reading of its weight; the
// GEMM in every orientation beside the BLAS called directly; and what an op costs that has nothing to do.
//
//                       predicted                                                           limit  measured
//   gemv_over_bandwidth   128 MB are read once; y, 32 KB, is nothing beside it. What the loop reads that it is
//                         compared with changes here, from 18 to 42 GB/s a core; the rows that the kernel reads
//                         side by side come at 20 to 30: faster than slow memory's loop, slower than fast
//                         memory's. Asking for them 1 or 2 KB ahead instead of eight rows: 0 to 10 % more with
//                         1 to 4 rows, 3 to 16 % less with 8 and 16                          1.00   0.70 - 1.05
//   few_rows_over_bandw.  the same, until 16 rows' 1.07 Gflop take what a core needs for them  0.90   0.57 -
//   0.89 gemm_transposes       a call and a switch, 20 ns beside 2.4 ms                           1.00   0.99
//   - 1.00 op_overhead_us        memory from the pool and back, the counts of a handle, checks of   0.05   0.07
//   - 0.20
//                         extents, a call of the kernel: 10 ns each; a BLAS call: 100 ns
#include <tpx/kernel/gemm.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/elementwise.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "../comm/count_allocations.hpp"
#include "benchmark.hpp"
#include "twin_parts.hpp"

namespace tpx::benchmark {
namespace {

using axes::tp;

auto the_mesh(const Run& run) { return make_mesh_on<tp>(Space(), run.world); }

/// Reads all of it, in the order in which it lies, as fast as a core can.
float read_all(const float* data, std::int64_t count) {
  constexpr std::int64_t width = 128;
  float part[width] = {};
  for (std::int64_t i = 0; i + width <= count; i += width) {
    for (std::int64_t w = 0; w < width; ++w) part[w] += data[i + w];
  }
  float sum = 0;
  for (const float p : part) sum += p;
  return sum;
}

/// Seconds of reading the weight over seconds of y = x W with some rows of x; all ranks at once, so they share
/// the memory's bandwidth.
Comparison rows_over_bandwidth(const Run& run, std::int64_t rows) {
  const auto mesh = the_mesh(run);
  const std::int64_t in = run.smoke ? 64 : 4096, out = (run.smoke ? 128 : 8192) * mesh.size();
  const auto x = normal<float>(mesh, layout<Replicate<tp>>, {rows, in}, {1, 0});
  const auto w = normal<float>(mesh, layout<Shard<1, tp>>, {in, out}, {1, 1}, 0, 0.01);
  const volatile float* const seen = w.data();
  float sink = 0;
  const auto read = [&] { sink += read_all(w.data(), w.local_count()) * seen[0]; };
  const auto multiply = [&] {
    for (std::int64_t i = 0; i < rows * in; ++i) x.data()[i] += 0.001F;
    matmul(x, w);
  };
  read();
  multiply();
  const Comparison c = compare(run.world.native(), run.effort, read, multiply);
  if (!std::isfinite(sink)) fail("gemv_over_bandwidth: the weight's elements are numbers");
  return c;
}

Comparison gemv_over_bandwidth(const Run& run) { return rows_over_bandwidth(run, 1); }

/// Of several rows the number that is farthest from the bandwidth.
Comparison few_rows_over_bandwidth(const Run& run) {
  Comparison worst;
  for (const std::int64_t rows : {2, 4, 8, 16}) {
    const Comparison c = rows_over_bandwidth(run, rows);
    if (run.speaks()) std::printf("  %2d rows %6.3f\n", static_cast<int>(rows), c.ratio.median);
    if (worst.pairs == 0 || c.ratio.median < worst.ratio.median) worst = c;
  }
  return worst;
}

/// The worst orientation's seconds of the BLAS over those of kernel::gemm.
Comparison gemm_transposes(const Run& run) {
  const int n = run.smoke ? 24 : 512;
  std::vector<float> a(count(n, n), 0.5F);
  const std::vector<float> b(count(n, n), 0.25F);
  std::vector<float> ours(count(n, n)), theirs(count(n, n));
  const Space space;
  Comparison worst;
  for (const CBLAS_TRANSPOSE ta : {CblasNoTrans, CblasTrans}) {
    for (const CBLAS_TRANSPOSE tb : {CblasNoTrans, CblasTrans}) {
      const auto direct = [&] { Blas::multiply(ta, tb, n, n, n, a.data(), b.data(), theirs.data()); };
      const auto through = [&] {
        kernel::gemm(space, kernel::Transpose{ta == CblasTrans}, kernel::Transpose{tb == CblasTrans}, n, n, n,
                     1, a.data(), b.data(), 0, ours.data());
      };
      direct();
      through();
      expect_equal(run, "C", ours, theirs.data(), theirs.size());
      const auto again = [&](const auto& way) {
        negate(a.data(), n * std::int64_t{n});
        way();
      };
      const Comparison c = compare(
          run.world.native(), run.effort, [&] { again(direct); }, [&] { again(through); });
      if (worst.pairs == 0 || c.ratio.median < worst.ratio.median) worst = c;
    }
  }
  return worst;
}

/// Microseconds of the dearest of some ops on tensors of one element a rank, on the slower rank.
Comparison op_overhead(const Run& run) {
  const auto mesh = the_mesh(run);
  const auto x = normal<float>(mesh, layout<Shard<0, tp>>, {mesh.size(), 1}, {1, 0});
  const auto one = normal<float>(mesh, layout<>, {1, 1}, {1, 1});
  const auto w = normal<float>(mesh, layout<>, {1, 1}, {1, 2});
  Comparison worst;
  const auto measure = [&](const char* name, auto&& work) {
    const auto op = [&] {
      negate(x.data(), 1);
      negate(one.data(), 1);
      work();
    };
    const int calls = run.smoke ? 10 : 10000, samples = run.smoke ? 2 : 200;
    for (int i = 0; i < 10; ++i) op();
    std::vector<double> times;
    times.reserve(static_cast<std::size_t>(samples));
    const long before = allocations();
    for (int i = 0; i < samples; ++i) times.push_back(1e6 * seconds_apart(run.world.native(), calls, op));
    if (allocations() != before) fail(std::string("op_overhead_us: ") + name + " allocates");
    const MedianInterval value = median_interval(std::move(times));
    if (run.speaks()) std::printf("  %-14s %6.3f us\n", name, value.median);
    if (worst.pairs == 0 || value.median > worst.ratio.median)
      worst = {value, 1e-6 * value.median, 1e-6 * value.median, samples, calls};
  };
  measure("scale", [&] { scale(x, 2.0); });
  measure("gelu", [&] { gelu(x); });
  measure("add", [&] { add(x, x); });
  measure("redistribute", [&] { (void)redistribute<Replicate<tp>>(one); });
  measure("matmul", [&] { matmul(one, w); });
  return worst;
}

constexpr Benchmark benchmarks[] = {
    {"gemv_over_bandwidth", 0.90, Goal::at_least, gemv_over_bandwidth},
    {"few_rows_over_bandwidth", 0.90, Goal::at_least, few_rows_over_bandwidth},
    {"gemm_transposes", 0.97, Goal::at_least, gemm_transposes},
    {"op_overhead_us", 0.3, Goal::at_most, op_overhead},
};

}  // namespace

std::span<const Benchmark> kernel_benchmarks() { return benchmarks; }

}  // namespace tpx::benchmark
