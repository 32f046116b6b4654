// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_benchmark_collectives [NAME...] [--pairs N] [--smoke]
//
// Collectives of the communicator through shared memory. On 2 ranks the all-reduce of f32, in arbitrary and in
// symmetric buffers, beside MPI_Allreduce, and in place beside a memcpy of as much on both ranks at once; and
// the redistribution of rows to columns beside a memcpy of the shard. The input is written anew before every
// call and only the call is timed; a sample is the median of its calls on the slower rank, and samples of both
// ways take turns. On 4 ranks the barrier, in microseconds. Prints a line `bench {...}` each; the exit code
// says whether they ran and both ways agreed.
//
// What two cores can do depends on how far apart they are, which on a virtual machine changes by the minute: a
// line crosses in 50 ns where they share a cache, in 220 ns where they do not. So limit and outcome near and
// far; copying half of a rank's 4 MB takes 0.5 of the memcpy, from the far core, measured alone, 0.77.
//
//                        predicted                                           limit        measured
//   allreduce_1k         a flag and then its lines are read, in 40 or 180    0.31  0.35   0.33-0.43  0.37-0.49
//                        ns, two copies of 15 ns; MPI takes 0.36 or 1.1 us
//   allreduce_4m         the bytes of a memcpy, but half of the lines, as    0.50  0.77   0.53-0.58  0.77-0.97
//                        none is only written
//   allreduce_16m        a line of memory moves twice, in a memcpy 3 times   0.67         0.40-0.56
//   redistribute_s0_s1   half from the own shard, half from the other's      1.00  1.27   1.13-1.25  1.6-1.9
//                        (as two dense halves, not rows: measured 1.1, 1.5)
#include <mpi.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/shared_memory.hpp>

#include "medians.hpp"
#include "paired.hpp"
#include "redistribute.hpp"
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

enum class Kind { plain_over_mpi, symmetric_over_mpi, in_place_over_memcpy, redistribute_over_memcpy, barrier };

struct Benchmark {
  std::string_view name;
  double goal;
  int ranks;
  Kind kind;
  std::int64_t bytes;  ///< of each rank's input
  int calls;           ///< in a sample
};

constexpr Benchmark benchmarks[] = {
    {"allreduce_1k_over_mpi", 0.40, 2, Kind::plain_over_mpi, 1 << 10, 200},
    {"allreduce_64k_symmetric_over_mpi", 0.33, 2, Kind::symmetric_over_mpi, 1 << 16, 50},
    {"allreduce_64k_plain_over_mpi", 0.55, 2, Kind::plain_over_mpi, 1 << 16, 50},
    {"allreduce_1m_over_mpi", 0.60, 2, Kind::symmetric_over_mpi, 1 << 20, 10},
    {"allreduce_1m_plain_over_mpi", 0.60, 2, Kind::plain_over_mpi, 1 << 20, 10},
    {"allreduce_4m_over_memcpy", 0.65, 2, Kind::in_place_over_memcpy, 4 << 20, 5},
    {"allreduce_16m_over_memcpy", 0.65, 2, Kind::in_place_over_memcpy, 16 << 20, 3},
    {"redistribute_s0_s1_over_memcpy", 1.2, 2, Kind::redistribute_over_memcpy, 4 << 20, 5},
    {"barrier_4on2_us", 10, 4, Kind::barrier, 0, 1000},
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

/// Compares two ways and says what each took.
template <class First, class Second>
MedianInterval compare_medians(const comm::Mpi& mpi, const Benchmark& b, int pairs, const char* other,
                               First&& first, Second&& second) {
  std::vector<double> times(static_cast<std::size_t>(b.calls));
  const Medians found = median_pairs(mpi.native(), times, pairs, first, second);
  if (mpi.rank() == 0)
    std::printf("%-34s %10.2f us, %s %10.2f us\n", std::string(b.name).c_str(), 1e6 * found.first, other,
                1e6 * found.second);
  return found.ratio;
}

MedianInterval all_reduce_over_mpi(const comm::Mpi& mpi, const Benchmark& b, int pairs) {
  const comm::SharedMemory shared = comm::SharedMemory::over(mpi);
  const std::size_t n = static_cast<std::size_t>(b.bytes) / sizeof(float);
  const std::int64_t count = static_cast<std::int64_t>(n);
  std::vector<float> plain(n), ours(n), theirs(n);
  const std::shared_ptr<void> memory = shared.symmetric_memory()(2 * b.bytes);
  if (memory == nullptr) throw std::runtime_error(std::string(b.name) + ": there is no symmetric memory");
  float* const symmetric = static_cast<float*>(memory.get());
  const bool anywhere = b.kind == Kind::plain_over_mpi;
  float* const in = anywhere ? plain.data() : symmetric;
  float* const out = anywhere ? ours.data() : symmetric + n;
  float next = static_cast<float>(mpi.rank());
  const auto rewrite = [&next, n](float* values) {
    next += 0.25F;
    for (std::size_t i = 0; i < n; ++i) values[i] = next + static_cast<float>(i);
  };
  const auto one = [&] { shared.all_reduce(in, out, count, Element::f32, comm::Reduction::sum); };
  const auto other = [&] {
    check_mpi(MPI_Allreduce(plain.data(), theirs.data(), static_cast<int>(n), MPI_FLOAT, MPI_SUM, mpi.native()),
              "MPI_Allreduce");
  };
  rewrite(plain.data());
  std::copy(plain.begin(), plain.end(), in);
  one();
  other();
  if (largest(std::equal(theirs.begin(), theirs.end(), out) ? 0 : 1, mpi.native()) != 0)
    throw std::runtime_error(std::string(b.name) + ": the two ways differ");
  return compare_medians(mpi, b, pairs, "MPI", Timed{[&] { rewrite(in); }, one},
                         Timed{[&] { rewrite(plain.data()); }, other});
}

/// Both ways begin together: a memcpy waits for nobody, so that the other way may not either.
MedianInterval all_reduce_over_memcpy(const comm::Mpi& mpi, const Benchmark& b, int pairs) {
  const comm::SharedMemory shared = comm::SharedMemory::over(mpi);
  const std::size_t n = static_cast<std::size_t>(b.bytes) / sizeof(float);
  const std::shared_ptr<void> memory = shared.symmetric_memory()(b.bytes);
  if (memory == nullptr) throw std::runtime_error(std::string(b.name) + ": there is no symmetric memory");
  float* const values = static_cast<float*>(memory.get());
  std::vector<float> from(n), to(n);
  float next = static_cast<float>(mpi.rank());
  const auto rewrite = [&](float* data) {
    next += 0.25F;
    for (std::size_t i = 0; i < n; ++i) data[i] = next + static_cast<float>(i % 4096);
    shared.barrier();
  };
  const auto one = [&] {
    shared.all_reduce(values, values, static_cast<std::int64_t>(n), Element::f32, comm::Reduction::sum);
  };
  rewrite(values);
  one();
  for (std::size_t i = 0; i < n; ++i)
    if (values[i] != 1.5F + 2 * static_cast<float>(i % 4096))
      throw std::runtime_error(std::string(b.name) + ": the sum is wrong");
  return compare_medians(
      mpi, b, pairs, "memcpy", Timed{[&] { rewrite(values); }, one},
      Timed{[&] { rewrite(from.data()); }, [&] { std::memcpy(to.data(), from.data(), n * sizeof(float)); }});
}

MedianInterval barrier(const comm::Mpi& mpi, const Benchmark& b, int samples) {
  const comm::SharedMemory shared = comm::SharedMemory::over(mpi);
  std::vector<double> times;
  for (int i = 0; i < samples; ++i)
    times.push_back(1e6 * seconds(mpi.native(), b.calls, [&] { shared.barrier(); }));
  return median_interval(std::move(times));
}

MedianInterval run(const comm::Mpi& mpi, const Benchmark& b, int pairs) {
  switch (b.kind) {
    case Kind::plain_over_mpi:
    case Kind::symmetric_over_mpi:
      return all_reduce_over_mpi(mpi, b, pairs);
    case Kind::in_place_over_memcpy:
      return all_reduce_over_memcpy(mpi, b, pairs);
    case Kind::redistribute_over_memcpy: {
      const Medians found = redistribute_over_memcpy(mpi, b.bytes, b.calls, pairs);
      if (mpi.rank() == 0)
        std::printf("%-34s %10.2f us, memcpy %10.2f us\n", std::string(b.name).c_str(), 1e6 * found.first,
                    1e6 * found.second);
      return found.ratio;
    }
    case Kind::barrier:
      break;
  }
  return barrier(mpi, b, pairs);
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
    const MedianInterval value = run(world, b, options.pairs);
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
