// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_benchmarks [NAME...] [--pairs N] [--smoke]
//
// Runs the benchmarks named (all), prints a table and then a line `bench {...}` for each: the median of the
// ratios of two ways' times, with its 95 % interval by order statistics. --smoke: tiny and few, for a test that
// they run. The exit code says whether they ran and both ways agreed, not whether a goal was met.
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "benchmark.hpp"

namespace {

using namespace tpx;
using namespace tpx::benchmark;

std::vector<const Benchmark*> all_benchmarks() {
  std::vector<const Benchmark*> all;
  for (const auto table : {twin_benchmarks(), kernel_benchmarks(), scaling_benchmarks(), decode_benchmarks(),
                           element_benchmarks()})
    for (const Benchmark& b : table) all.push_back(&b);
  return all;
}

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
    for (const Benchmark* b : all_benchmarks())
      if (b->name == argument) found = b;
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
  if (options.chosen.empty()) options.chosen = all_benchmarks();
  return options;
}

int usage(const std::string& wrong) {
  std::fprintf(stderr,
               "tpx_benchmarks: %s\nusage: tpx_benchmarks [NAME...] [--pairs N] [--smoke]; the names are\n",
               wrong.c_str());
  for (const Benchmark* b : all_benchmarks()) std::fprintf(stderr, "  %s\n", std::string(b->name).c_str());
  return 2;
}

std::string line(const Benchmark& b, const Comparison& c) {
  char text[256];
  std::snprintf(text, sizeof(text),
                R"(bench {"name":"%s","value":%.4f,"low":%.4f,"high":%.4f,"goal":%g,"holds":%s})",
                std::string(b.name).c_str(), c.ratio.median, c.ratio.low, c.ratio.high, b.goal,
                b.holds(c.ratio.median) ? "true" : "false");
  return text;
}

int run_all(const comm::Mpi& world, const Options& options) {
  Run run{world, {}, options.smoke};
  if (options.smoke) run.effort = {2, 0, 1};
  if (options.pairs > 0) run.effort.pairs = options.pairs;
  if (run.speaks())
    std::printf(
        "%d ranks; ratio of two ways' times: median of the pairs, [95 %% interval]\n%-26s %8s %19s %6s %12s "
        "%12s %6s %6s\n",
        world.size(), "benchmark", "ratio", "interval", "goal", "first, us", "second, us", "pairs", "calls");
  std::vector<std::string> lines;
  for (const Benchmark* b : options.chosen) {
    const Comparison c = b->run(run);
    if (run.speaks()) {
      std::printf("%-26s %8.4f [%8.4f,%8.4f] %6g %12.1f %12.1f %6d %6d\n", std::string(b->name).c_str(),
                  c.ratio.median, c.ratio.low, c.ratio.high, b->goal, 1e6 * c.first, 1e6 * c.second, c.pairs,
                  c.calls);
      std::fflush(stdout);
    }
    lines.push_back(line(*b, c));
  }
  if (run.speaks())
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
