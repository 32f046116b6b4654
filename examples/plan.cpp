// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which mesh to train a model on, and what a step will take there.
//
//   plan --model 145.6B --cluster a100 --gpus 1536 --batch 2304
//   plan --model layers=24,hidden=2048,heads=16 --cluster h100 --gpus 64 --scaling
//   plan --published              what the model says of runs that others measured and published
//   mpiexec -n 2 plan --measure   the same against this machine
//
// Kernels, collectives and memory are those of the library's own forward and backward, run on meshes that are
// not here; the cluster is a small file, or measured in a second.
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <tpx/tpx.hpp>
#include <tpx/train/calibrate.hpp>

#include "plan/options.hpp"
#include "plan/report.hpp"
#include "support/check.hpp"

namespace {

using tpx::axes::dp;
using tpx::axes::tp;

int compare_published(const plan::Options& options, bool speaks) {
  bool ok = true;
  std::vector<example::Fact> facts;
  for (const char* name :
       {"megatron_2019_v100", "megatron_2020_v100", "megatron_2020_a100", "megatron_2021_a100"}) {
    const plan::PublishedTable table = plan::read_published(options.files + "/published/" + name + ".table");
    const tpx::Cluster cluster = tpx::read_cluster(options.files + "/clusters/" + table.cluster + ".cluster");
    const std::vector<plan::Comparison> rows = plan::compare(table, cluster);
    double mean = 0;
    if (speaks) mean = plan::print_comparison(table, rows);
    ok = ok && mean < 0.1;
    facts.emplace_back(name, mean);
  }
  return example::finish("plan", "published", ok, facts);
}

/// Steps of five models, on one rank and with the ranks along tp and along dp, beside what was predicted from
/// ops that were timed one by one.
template <class World>
int measure(const World& world, bool speaks) {
  const tpx::Cluster here = tpx::calibrate<float>(world);
  struct Size {
    std::int64_t layers, hidden, heads, context, batch;
  };
  constexpr std::array<Size, 5> sizes{{{2, 96, 12, 64, 16},
                                       {4, 128, 8, 32, 16},
                                       {2, 192, 12, 64, 24},
                                       {2, 384, 6, 128, 4},
                                       {1, 512, 8, 64, 8}}};
  double worst = 0;
  std::vector<double> measured_ms, predicted_ms;
  if (speaks)
    std::printf("%-34s %-12s %12s %12s %8s\n", "model", "mesh", "measured ms", "predicted ms", "error");
  for (const Size& s : sizes) {
    tpx::TrainingJob job;
    job.model.vocabulary = 192;
    job.model.layers = s.layers;
    job.model.hidden = s.hidden;
    job.model.heads = s.heads;
    job.model.context = s.context;
    job.batch = s.batch;
    tpx::CostModel model(job, here);
    for (const bool split_batch : {false, true}) {
      const int data = split_batch ? world.size() : 1, tensor = split_batch ? 1 : world.size();
      if (split_batch && world.size() == 1) continue;
      const tpx::ParallelPlan plan{.dp = data, .tp = tensor, .micro_batch = s.batch / data};
      if (!model.complaint(plan).empty()) continue;
      const auto mesh = tpx::make_mesh<dp, tp>(world, {data, tensor});
      tpx::SampleStep<float, std::decay_t<decltype(mesh)>> step(mesh, job.model, s.batch);
      world.barrier();
      const double measured = step.time(6), predicted = model.cost(plan).seconds;
      const double error = predicted / measured - 1;
      if (speaks)
        std::printf(
            "%lld x %-4lld heads %-3lld context %-4lld batch %-3lld dp=%d,tp=%-5d %12.2f %12.2f %7.1f%%\n",
            static_cast<long long>(s.layers), static_cast<long long>(s.hidden), static_cast<long long>(s.heads),
            static_cast<long long>(s.context), static_cast<long long>(s.batch), data, tensor, 1e3 * measured,
            1e3 * predicted, 100 * error);
      worst = std::max(worst, std::abs(error));
      measured_ms.push_back(1e3 * measured);
      predicted_ms.push_back(1e3 * predicted);
    }
  }
  if (speaks) std::printf("largest error %.1f%%\n", 100 * worst);
  const bool ok = !measured_ms.empty() && std::isfinite(worst);
  return example::finish("plan", "measured", ok,
                         {{"rows", measured_ms.size()},
                          {"measured_ms", measured_ms},
                          {"predicted_ms", predicted_ms},
                          {"largest_error", worst}});
}

template <class World>
int search(const World& world, const plan::Options& options, bool speaks) {
  const tpx::Cluster cluster =
      options.cluster == "here" ? tpx::calibrate<float>(world)
      : options.cluster.find_first_of("./") != std::string::npos
          ? tpx::read_cluster(options.cluster)
          : tpx::read_cluster(options.files + "/clusters/" + options.cluster + ".cluster");
  tpx::TrainingJob job;
  job.model = plan::read_model(options);
  job.batch = options.batch;
  job.element_bytes = options.bits / 8;
  job.overlap = options.overlap;
  tpx::CostModel model(job, cluster);
  const std::vector<tpx::MeshOutcome> meshes = tpx::search_meshes(model, options.ranks);
  const tpx::MeshOutcome& best = meshes.front();
  if (speaks) {
    std::printf("%lld layers, hidden %lld, heads %lld, on %d ranks of %s, batch %lld\n\n",
                static_cast<long long>(job.model.layers), static_cast<long long>(job.model.hidden),
                static_cast<long long>(job.model.heads), options.ranks, cluster.name.c_str(),
                static_cast<long long>(job.batch));
    plan::print_search(job, meshes);
  }
  if (options.scaling && speaks) {
    std::vector<int> ranks;
    for (int n = 1; n <= options.ranks; n *= 2) ranks.push_back(n);
    plan::print_scaling("Strong", tpx::scaling(job, cluster, ranks, false));
    tpx::TrainingJob small = job;
    small.batch = std::max<std::int64_t>(1, job.batch / ranks.back());
    plan::print_scaling("Weak", tpx::scaling(small, cluster, ranks, true));
  }
  const double rate = best.fits() ? tpx::counted_flops(job, false) / best.cost.seconds / options.ranks : 0;
  return example::finish("plan", plan::mesh_text(best.plan), best.fits(),
                         {{"schedule", plan::schedule_text(best.plan)},
                          {"seconds", best.cost.seconds},
                          {"memory", best.cost.memory},
                          {"bubble", best.cost.bubble},
                          {"communication", best.cost.communication()},
                          {"flops_a_rank", rate},
                          {"meshes", meshes.size()}});
}

}  // namespace

int main(int argc, char** argv) {
  tpx::Environment env(argc, argv);
  return env.run([&] {
    const tpx::comm::Mpi world = env.world();
    const bool speaks = world.rank() == 0;
    plan::Options options;
    if (const auto code = plan::read_options(argc, argv, speaks, options)) return *code;
    if (options.published) return compare_published(options, speaks);
    if (options.measure) return measure(world, speaks);
    return search(world, options, speaks);
  });
}
