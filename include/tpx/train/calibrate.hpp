// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fstream>
#include <ios>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/nn/gpt.hpp>
#include <tpx/tensor/make_mesh.hpp>
#include <tpx/train/adamw.hpp>
#include <tpx/train/clip.hpp>
#include <tpx/train/cluster.hpp>
#include <tpx/train/cost_model.hpp>
#include <tpx/train/gradients.hpp>
#include <tpx/train/layer_costs.hpp>

namespace tpx {

/// One training step of a GPT on a mesh <dp, tp>, on made-up tokens: what is timed, and what a machine is
/// calibrated with.
template <class T, class Mesh>
class SampleStep {
 public:
  SampleStep(const Mesh& mesh, const GptConfig& config, std::int64_t batch)
      : mesh_(mesh),
        model_(mesh, config),
        gradients_(model_),
        optimizer_(model_),
        tape_(mesh),
        ids_(from_function<std::int32_t>(
            mesh, tpx::layout<Shard<0, axes::dp>>, {batch, config.context},
            [&](const auto& i) { return (7 * i[0] + 3 * i[1]) % config.vocabulary; })) {}

  /// @comm as the model says, the gradients' reduction and one all_reduce for their norm
  void operator()() {
    gradients_.reset();
    tape_.clear();
    const auto loss = model_.loss(tape_.input(ids_), ids_);
    backward(loss);
    const auto reduced = gradients_.template reduce<over<axes::dp>>();
    const auto clipped = clip_grad_norm<over<axes::dp, axes::tp>>(reduced, model_, 1);
    optimizer_.step(reduced, 1e-3, clipped);
  }

  /// Seconds of the fastest of some steps, after one that is not timed.
  double time(int steps) {
    return detail::fastest_run(mesh_, steps, [this] { (*this)(); });
  }

 private:
  using Ids = decltype(from_function<std::int32_t>(
      std::declval<const Mesh&>(), tpx::layout<Shard<0, axes::dp>>, {1, 1},
      std::declval<std::int32_t (*)(const std::array<std::int64_t, 2>&)>()));
  Mesh mesh_;
  Gpt<T, Mesh, axes::tp> model_;
  Gradients<Gpt<T, Mesh, axes::tp>> gradients_;
  AdamW<Gpt<T, Mesh, axes::tp>> optimizer_;
  Tape<Mesh> tape_;
  Ids ids_;
};

namespace detail {

struct TimedLaunch {
  Launch launch;
  double seconds;
};

inline double seconds_of(const std::vector<TimedLaunch>& launches) {
  double sum = 0;
  for (const TimedLaunch& each : launches) sum += each.seconds;
  return sum;
}

/// Observes some more steps, and keeps in `fastest`, which is empty at first, the launches of the fastest one.
/// (Each launch's fastest time would make a step that never was.)
template <class Step, class Mesh>
void observe(Step& step, const Mesh& mesh, int steps, std::vector<TimedLaunch>& fastest) {
  if (fastest.empty()) step();  // the first one allocates
  for (int i = 0; i < steps; ++i) {
    std::vector<TimedLaunch> launches;
    mesh.context().set_observer([&](const Launch& launch, double seconds) {
      launches.push_back({launch, seconds});
    });
    step();
    mesh.context().set_observer({});
    if (fastest.empty() || seconds_of(launches) < seconds_of(fastest)) fastest = std::move(launches);
  }
}

/// A step and how long it takes, so far.
template <class T, class Mesh>
struct Sample {
  SampleStep<T, Mesh> step;
  std::vector<TimedLaunch> launches{};
  double seconds = std::numeric_limits<double>::infinity();  // of a whole step

  Sample(const Mesh& mesh, const GptConfig& config, std::int64_t batch) : step(mesh, config, batch) {}
};

/// Seconds of an all-reduce of `bytes` in host memory: the fastest of some.
template <class Comm>
double time_all_reduce(const Comm& comm, std::int64_t bytes) {
  std::vector<float> values(static_cast<std::size_t>(bytes / 4), 1.0f);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 12; ++i) {
    comm.barrier();
    const auto start = std::chrono::steady_clock::now();
    comm.all_reduce(values.data(), values.data(), bytes / 4, Element::f32, Reduction::max);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (i > 1) best = std::min(best, seconds.count());
  }
  return best;
}

/// How long launches of each op and size took, averaged: matmuls of one number of flops have different shapes.
/// (Lists: hipcc 5.2 crashes on the map of these.)
class OpTimes {
 public:
  void add(const std::string& op, double size, double seconds) {
    const auto found = std::find_if(times_.begin(), times_.end(),
                                    [&](const Timed& each) { return each.size == size && each.op == op; });
    Timed& timed = found != times_.end() ? *found : times_.emplace_back(Timed{op, size});
    timed.seconds += seconds;
    ++timed.count;
  }

  /// Sizes a second of each op.  @return those of `add`, which streams
  double fill(std::map<std::string, RateTable, std::less<>>& rates) {
    std::sort(times_.begin(), times_.end(),
              [](const Timed& a, const Timed& b) { return a.op != b.op ? a.op < b.op : a.size < b.size; });
    double streamed = 0;
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < times_.size(); ++i) {
      const Timed& timed = times_[i];
      points.emplace_back(timed.size, timed.size * timed.count / std::max(timed.seconds, 1e-9));
      if (i + 1 < times_.size() && times_[i + 1].op == timed.op) continue;
      if (timed.op == "tpx::add") streamed = points.back().second;
      if (timed.op == "tpx::matmul") rates["matmul"] = RateTable(points);
      rates[timed.op] = RateTable(std::move(points));
      points.clear();
    }
    return streamed;
  }

 private:
  struct Timed {
    std::string op;
    double size = 0;
    double seconds = 0;
    int count = 0;
  };
  std::vector<Timed> times_;
};

/// Bytes that programs may still take of this machine's memory; 0 where the system does not say.
inline double available_memory() {
  std::ifstream in("/proc/meminfo");  // "MemAvailable:   12345 kB"
  for (std::string key; in >> key; in.ignore(std::numeric_limits<std::streamsize>::max(), '\n'))
    if (double kibibytes = 0; key == "MemAvailable:" && in >> kibibytes) return 1024 * kibibytes;
  return 0;
}

}  // namespace detail

/// Measures this machine in about a second: every op of a training step by itself, on all ranks at once, at
/// three sizes, and all-reduces among the ranks. Of the memory each rank may use its part of what is free now,
/// where the models are in host memory.
///
/// @tparam T   element of the models that will be predicted
/// @pre    the communicator reads host memory
/// @comm   barriers, all_reduces of up to 4 MiB, and one of 1 f64
template <class T, class Comm>
Cluster calibrate(const Comm& comm) {
  const comm::Self self;
  const auto mesh = make_mesh<axes::dp, axes::tp>(self, {1, 1});
  using Mesh = std::decay_t<decltype(mesh)>;
  Cluster cluster;
  cluster.name = "this machine";
  cluster.ranks_per_node = comm.size();
  if constexpr (std::is_same_v<typename Mesh::context_type::memory_space, Kokkos::HostSpace>) {
    double memory = detail::available_memory();
    comm.all_reduce(&memory, &memory, 1, Element::f64, Reduction::min);
    if (memory > 0) cluster.memory = memory / comm.size();
  }

  std::deque<detail::Sample<T, Mesh>> samples;  // steps do not move
  for (const std::int64_t hidden : {32, 64, 128, 256}) {
    GptConfig config;
    config.vocabulary = 192;
    config.context = 64;
    config.layers = 1;
    config.hidden = hidden;
    config.heads = hidden / 16;
    samples.emplace_back(mesh, config, 16);
  }
  // By turns, so that what disturbs the machine for a moment does not spoil one size.
  for (int turn = 0; turn < 3; ++turn) {
    for (auto& sample : samples) {
      comm.barrier();
      detail::observe(sample.step, mesh, 3, sample.launches);
      sample.seconds = std::min(sample.seconds, sample.step.time(3));
    }
  }
  detail::OpTimes times;
  std::vector<double> beside;
  for (const auto& sample : samples) {
    for (const auto& [launch, time] : sample.launches) {
      const bool by_flops =
          detail::starts_with(launch.op, "tpx::matmul") || detail::starts_with(launch.op, "tpx::att");
      const auto size = static_cast<double>(by_flops ? launch.work.flops : launch.work.bytes);
      if (size <= 0) continue;
      times.add(std::string(launch.op), size, time);
    }
    // What a step takes beside its kernels: the tape, the shapes, the pool.
    beside.push_back((sample.seconds - detail::seconds_of(sample.launches)) /
                     static_cast<double>(sample.launches.size()));
  }
  std::sort(beside.begin(), beside.end());
  cluster.launch = std::max(beside[beside.size() / 2], 0.0);  // the median
  const double streamed = times.fill(cluster.rates);
  cluster.rates["stream"] = RateTable(streamed);

  cluster.node = {1e-9, RateTable(streamed)};
  if (comm.size() > 1) {
    const double hops = detail::hops(comm.size());
    const double small = detail::time_all_reduce(comm, 8);
    cluster.node.latency = small / (2 * hops);
    std::vector<std::pair<double, double>> points;
    for (std::int64_t bytes = 1024; bytes <= 4 << 20; bytes *= 4) {
      const double seconds = std::max(detail::time_all_reduce(comm, bytes) - small, 1e-9);
      points.emplace_back(static_cast<double>(bytes),
                          2.0 * (comm.size() - 1) / comm.size() * static_cast<double>(bytes) / seconds);
    }
    cluster.node.bandwidth = RateTable(std::move(points));
  }
  cluster.network = cluster.node;
  return cluster;
}

}  // namespace tpx
