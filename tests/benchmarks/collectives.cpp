// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_benchmark_collectives [NAME...] [--pairs N] [--smoke]
//
// Collectives of the communicator through shared memory. On 2 ranks the all-reduce of f32 in arbitrary buffers
// beside MPI_Allreduce: the input is written anew before every call and only the call is timed; a sample is the
// median of its calls on the slower rank, and samples of both ways take turns. On 4 ranks the barrier, in
// microseconds. Prints a line `bench {...}` each; the exit code says whether they ran and both ways agreed.
#include <mpi.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/shared_memory.hpp>

#include "paired.hpp"
#include "statistics.hpp"

namespace {

using namespace tpx;
using namespace tpx::benchmark;

struct Options {
  std::vector<std::string_view> names;
  int pairs = 200;
  bool smoke = false;
  std::string wrong;
};

struct Benchmark {
  std::string_view name;
  double goal;
  int ranks;
  std::int64_t bytes;  ///< of each rank's input
  int calls;           ///< in a sample
};

constexpr Benchmark benchmarks[] = {
    {"allreduce_1k_over_mpi", 0.40, 2, 1 << 10, 200},
    {"allreduce_64k_plain_over_mpi", 0.55, 2, 1 << 16, 50},
    {"allreduce_1m_plain_over_mpi", 0.60, 2, 1 << 20, 10},
    {"barrier_4on2_us", 10, 4, 0, 1000},
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto named = [&](const Benchmark& b) { return b.name == argument; };
    if (argument == "--smoke") {
      options.smoke = true;
    } else if (argument == "--pairs") {
      const std::string_view number = i + 1 < argc ? argv[++i] : "";
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), options.pairs);
      if (error != std::errc() || end != number.data() + number.size() || options.pairs < 1 ||
          options.pairs > 100000)
        options.wrong = "--pairs takes a number of 1 to 100000, not '" + std::string(number) + "'";
    } else if (std::any_of(std::begin(benchmarks), std::end(benchmarks), named)) {
      options.names.push_back(argument);
    } else {
      options.wrong = "there is no benchmark or option '" + std::string(argument) + "'";
    }
  }
  if (options.smoke) options.pairs = 2;
  return options;
}

/// The median seconds of a call of `work`, on the slower rank; `prepare` is not timed.
template <class Prepare, class Work>
double median_seconds(MPI_Comm world, std::vector<double>& times, Prepare&& prepare, Work&& work) {
  check_mpi(MPI_Barrier(world), "MPI_Barrier");
  for (double& time : times) {
    prepare();
    const double start = MPI_Wtime();
    work();
    time = MPI_Wtime() - start;
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return largest(*middle, world);
}

MedianInterval all_reduce_over_mpi(const comm::Mpi& mpi, const Benchmark& b, int pairs) {
  const comm::SharedMemory shared = comm::SharedMemory::over(mpi);
  const std::size_t n = static_cast<std::size_t>(b.bytes) / sizeof(float);
  const std::int64_t count = static_cast<std::int64_t>(n);
  std::vector<float> in(n), ours(n), theirs(n);
  float next = static_cast<float>(mpi.rank());
  const auto rewrite = [&] {
    next += 0.25F;
    for (std::size_t i = 0; i < n; ++i) in[i] = next + static_cast<float>(i);
  };
  const auto one = [&] {
    shared.all_reduce(in.data(), ours.data(), count, Element::f32, comm::Reduction::sum);
  };
  const auto other = [&] {
    check_mpi(MPI_Allreduce(in.data(), theirs.data(), static_cast<int>(n), MPI_FLOAT, MPI_SUM, mpi.native()),
              "MPI_Allreduce");
  };
  rewrite();
  one();
  other();
  if (largest(ours == theirs ? 0 : 1, mpi.native()) != 0)
    throw std::runtime_error(std::string(b.name) + ": the two ways differ");

  std::vector<double> times(static_cast<std::size_t>(b.calls));
  std::vector<double> ratios;
  std::vector<double> firsts, seconds;
  for (int pair = 0; pair < pairs; ++pair) {
    double first = 0, second = 0;
    if (pair % 2 == 0) first = median_seconds(mpi.native(), times, rewrite, one);
    second = median_seconds(mpi.native(), times, rewrite, other);
    if (pair % 2 == 1) first = median_seconds(mpi.native(), times, rewrite, one);
    ratios.push_back(first / second);
    firsts.push_back(first);
    seconds.push_back(second);
  }
  const double first = median_interval(std::move(firsts)).median;
  const double second = median_interval(std::move(seconds)).median;
  if (mpi.rank() == 0)
    std::printf("%-30s %10.2f us, MPI %10.2f us\n", std::string(b.name).c_str(), 1e6 * first, 1e6 * second);
  return median_interval(std::move(ratios));
}

MedianInterval barrier(const comm::Mpi& mpi, const Benchmark& b, int samples) {
  const comm::SharedMemory shared = comm::SharedMemory::over(mpi);
  std::vector<double> times;
  for (int i = 0; i < samples; ++i)
    times.push_back(1e6 * seconds(mpi.native(), b.calls, [&] { shared.barrier(); }));
  return median_interval(std::move(times));
}

/// What keeps the benchmarks from running; empty where nothing does.
std::string run_all(const comm::Mpi& world, const Options& options) {
  bool anything = false;
  for (const Benchmark& b : benchmarks) {
    const bool wanted = options.names.empty() ||
                        std::find(options.names.begin(), options.names.end(), b.name) != options.names.end();
    if (!wanted || (options.names.empty() && b.ranks != world.size())) continue;
    if (b.ranks != world.size()) return std::string(b.name) + " is for " + std::to_string(b.ranks) + " ranks";
    anything = true;
    const MedianInterval value =
        b.bytes > 0 ? all_reduce_over_mpi(world, b, options.pairs) : barrier(world, b, options.pairs);
    if (world.rank() == 0)
      std::printf(R"(bench {"name":"%s","value":%.4f,"low":%.4f,"high":%.4f,"goal":%g,"holds":%s})"
                  "\n",
                  std::string(b.name).c_str(), value.median, value.low, value.high, b.goal,
                  value.median <= b.goal ? "true" : "false");
  }
  return anything ? "" : "there are benchmarks for 2 and for 4 ranks, not for " + std::to_string(world.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (MPI_Init(&argc, &argv) != MPI_SUCCESS) return 1;
  int result = 0;
  try {
    const comm::Mpi world = comm::Mpi::world();
    const Options options = parse(argc, argv);
    const std::string wrong = options.wrong.empty() ? run_all(world, options) : options.wrong;
    if (!wrong.empty()) {
      result = 2;
      if (world.rank() == 0) std::fprintf(stderr, "tpx_benchmark_collectives: %s\n", wrong.c_str());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tpx_benchmark_collectives: %s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  return MPI_Finalize() == MPI_SUCCESS ? result : 1;
}
