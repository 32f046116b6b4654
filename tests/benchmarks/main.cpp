// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_benchmarks [NAME...] [--pairs N] [--smoke]
//
// Runs the benchmarks named (all), prints a table and then a line `bench {...}` for each: the median of the
// ratios of two ways' times, with its 95 % interval by order statistics. --smoke: tiny and few, for a test that
// they run. The exit code says whether they ran and both ways agreed, not whether a goal was met.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlp.hpp"
#include "paired.hpp"
#include "twin_mlp.hpp"

namespace {

using namespace tpx;
using namespace tpx::benchmark;

struct MlpSize {
  std::int64_t rows, hidden, ffn;
};
constexpr MlpSize large{1024, 1024, 4096}, small{8, 64, 256}, tiny{4, 16, 32};

struct Run {
  MPI_Comm world;
  Effort effort;
  bool smoke;
};

// Where a rank of one thread is fastest.
#ifdef KOKKOS_ENABLE_SERIAL
using Space = Kokkos::Serial;
#else
using Space = Kokkos::DefaultHostExecutionSpace;
#endif

auto the_mesh(const Run& run) { return make_mesh_on<axes::tp>(Space(), comm::Mpi::adopt(run.world)); }
using Mesh = decltype(the_mesh(std::declval<Run>()));

TwinMlp twin_of(const Run& run, const Mlp<Mesh>& mlp) {
  return TwinMlp(run.world, static_cast<int>(mlp.x.extent(0)), static_cast<int>(mlp.x.extent(1)),
                 static_cast<int>(mlp.b1.local_count()), local_values(mlp.x), local_values(mlp.w1),
                 local_values(mlp.b1), local_values(mlp.w2), local_values(mlp.b2));
}

/// Throws, on every rank, where the two differ on one.
void expect_equal(const Run& run, const char* what, const std::vector<float>& found, const Floats& expected) {
  const std::size_t n = std::min(found.size(), expected.size());
  float scale = 0, difference = 0;
  bool equal = found.size() == expected.size();
  for (std::size_t i = 0; i < n; ++i) scale = std::max(scale, std::abs(expected.data()[i]));
  for (std::size_t i = 0; i < n; ++i) {
    const float apart = std::abs(found[i] - expected.data()[i]);
    if (apart <= 1e-5F * scale) continue;
    equal = false;  // for a NaN too
    difference = std::max(difference, apart);
  }
  if (largest(equal ? 0 : 1, run.world) != 0)
    fail(std::string("tpx_benchmarks: the two ways differ: ") + what + " by " + std::to_string(difference) +
         " of " + std::to_string(scale) + " on this rank");
}

Comparison mlp_over_twin(const Run& run, MlpSize size) {
  if (run.smoke) size = tiny;
  Mlp<Mesh> mlp(the_mesh(run), size.rows, size.hidden, size.ffn);
  TwinMlp twin = twin_of(run, mlp);
  for (int twice = 0; twice < 2; ++twice) {
    const auto [y, dx] = mlp.step();
    twin.step();
    expect_equal(run, "y", local_values(y), twin.y);
    expect_equal(run, "dx", local_values(dx), twin.dx);
    expect_equal(run, "dw1", local_values(gradient(mlp.w1)), twin.dw1);
    expect_equal(run, "db1", local_values(gradient(mlp.b1)), twin.db1);
    expect_equal(run, "dw2", local_values(gradient(mlp.w2)), twin.dw2);
    expect_equal(run, "db2", local_values(gradient(mlp.b2)), twin.db2);
  }
  return compare(
      run.world, run.effort, [&] { mlp.step(); }, [&] { twin.step(); });
}

Comparison twin_over_twin(const Run& run, MlpSize size) {
  if (run.smoke) size = tiny;
  const Mlp<Mesh> mlp(the_mesh(run), size.rows, size.hidden, size.ffn);
  TwinMlp one = twin_of(run, mlp), other = twin_of(run, mlp);
  one.step();
  other.step();
  return compare(
      run.world, run.effort, [&] { one.step(); }, [&] { other.step(); });
}

struct Benchmark {
  std::string_view name;
  double goal;
  Comparison (*run)(const Run&);
};

constexpr Benchmark benchmarks[] = {
    {"twin_mlp_large", 1.02, [](const Run& run) { return mlp_over_twin(run, large); }},
    {"twin_mlp_small", 1.2, [](const Run& run) { return mlp_over_twin(run, small); }},
    // What the machine can resolve.
    {"twin_over_itself", 1.02, [](const Run& run) { return twin_over_twin(run, small); }},
    {"twin_over_itself_large", 1.02, [](const Run& run) { return twin_over_twin(run, large); }},
};

struct Options {
  std::vector<const Benchmark*> chosen;
  int pairs = 0;
  bool smoke = false;
  std::string wrong;
};

Options parse(int argc, char** argv) {
  Options options;
  const auto wrong = [&](const std::string& text) {
    if (options.wrong.empty()) options.wrong = text;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const Benchmark* found = nullptr;
    for (const Benchmark& b : benchmarks)
      if (b.name == argument) found = &b;
    if (found != nullptr) {
      options.chosen.push_back(found);
    } else if (argument == "--smoke") {
      options.smoke = true;
    } else if (argument == "--pairs") {
      const std::string_view number = i + 1 < argc ? argv[++i] : "";
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), options.pairs);
      if (error != std::errc() || end != number.data() + number.size() || options.pairs < 1 ||
          options.pairs > 100000)
        wrong("--pairs takes a number of 1 to 100000, not '" + std::string(number) + "'");
    } else {
      wrong("there is no benchmark or option '" + std::string(argument) + "'");
    }
  }
  if (options.chosen.empty())
    for (const Benchmark& b : benchmarks) options.chosen.push_back(&b);
  return options;
}

int usage(const std::string& wrong) {
  std::fprintf(stderr,
               "tpx_benchmarks: %s\nusage: tpx_benchmarks [NAME...] [--pairs N] [--smoke]; the names are\n",
               wrong.c_str());
  for (const Benchmark& b : benchmarks) std::fprintf(stderr, "  %s\n", std::string(b.name).c_str());
  return 2;
}

std::string line(const Benchmark& b, const Comparison& c) {
  char text[256];
  std::snprintf(text, sizeof(text),
                R"(bench {"name":"%s","value":%.4f,"low":%.4f,"high":%.4f,"goal":%g,"holds":%s})",
                std::string(b.name).c_str(), c.ratio.median, c.ratio.low, c.ratio.high, b.goal,
                c.ratio.median <= b.goal ? "true" : "false");
  return text;
}

int run_all(const comm::Mpi& world, const Options& options) {
  Run run{world.native(), {}, options.smoke};
  if (options.smoke) run.effort = {2, 0, 1};
  if (options.pairs > 0) run.effort.pairs = options.pairs;
  const bool speaks = world.rank() == 0;
  if (speaks)
    std::printf(
        "%d ranks; ratio of two ways' times: median of the pairs, [95 %% interval]\n%-24s %8s %19s %6s %12s "
        "%12s %6s %6s\n",
        world.size(), "benchmark", "ratio", "interval", "goal", "first, us", "second, us", "pairs", "calls");
  std::vector<std::string> lines;
  for (const Benchmark* b : options.chosen) {
    const Comparison c = b->run(run);
    if (speaks) {
      std::printf("%-24s %8.4f [%8.4f,%8.4f] %6g %12.1f %12.1f %6d %6d\n", std::string(b->name).c_str(),
                  c.ratio.median, c.ratio.low, c.ratio.high, b->goal, 1e6 * c.first, 1e6 * c.second, c.pairs,
                  c.calls);
      std::fflush(stdout);
    }
    lines.push_back(line(*b, c));
  }
  if (speaks)
    for (const std::string& l : lines) std::printf("%s\n", l.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Mpi world = env.world();
    const Options options = parse(argc, argv);
    if (!options.wrong.empty()) return world.rank() == 0 ? usage(options.wrong) : 2;
    return run_all(world, options);
  });
}
