// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include <tpx/autodiff/backward.hpp>
#include <tpx/tensor/collective.hpp>
#include <tpx/tensor/host_copy.hpp>

namespace tpx {

/// Seconds that forward and backward of a micro-batch take: of a layer, and of what the two ends of a pipeline
/// do beside their layers. What balance_layers() takes.
struct LayerCosts {
  double layer = 0;
  double before = 0;  ///< the embedding, on the first stage
  double after = 0;   ///< the output layer and the loss, on the last one
};

namespace detail {

/// Seconds of the fastest of some runs of work(), after one that is not timed.
template <class Mesh, class Work>
double fastest_run(const Mesh& mesh, int runs, const Work& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= runs; ++i) {
    mesh.context().fence();
    const auto start = std::chrono::steady_clock::now();
    work();
    mesh.context().fence();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (i > 0) best = std::min(best, seconds.count());
  }
  return best;
}

}  // namespace detail

/// Measures the parts of a model in a few runs of its first micro-batch, on all ranks at once.
///
/// @param  mesh   the whole one
/// @param  stage  a whole model with one layer, as Pipeline has it of one rank; its gradients are left behind
/// @post   the same on every rank: the slowest rank's
/// @comm   the model's own, and an all_reduce of 3 f64 over the whole mesh
template <class Mesh, class Stage, class Batch>
LayerCosts measure_layers(const Mesh& mesh, const Stage& stage, const Batch& batch, int runs = 4) {
  const auto& here = stage.mesh();
  Tape tape(here);
  const typename Stage::activation_type x = detach(stage.enter(batch, 0));
  const auto run_end = [&] {
    tape.clear();
    const auto leaves = tape.watch(x);
    backward(stage.leave(leaves, batch, 0));
    return leaves;
  };
  const double after = detail::fastest_run(here, runs, run_end);
  const auto dx = tape.gradient(run_end());
  const double layer = detail::fastest_run(here, runs, [&] {
    tape.clear();
    backward(stage.run(0, tape.watch(x)), dx);
  });
  const double before = detail::fastest_run(here, runs, [&] {
    tape.clear();
    backward(stage.enter(tape, batch, 0), dx);
  });
  tape.clear();

  double costs[] = {layer, before, after};
  const Buffer buffer = detail::allocate<double>(mesh, 3);
  double* const all = buffer.template as<double>();
  detail::copy_from_host(mesh, static_cast<const double*>(costs), all, 3);
  constexpr unsigned every_axis = (1u << Mesh::axes::size) - 1;
  detail::all_reduce(mesh, every_axis, static_cast<const double*>(all), all, 3, Reduction::max);
  detail::copy_to_host(mesh, static_cast<const double*>(all), costs, 3);
  return {costs[0], costs[1], costs[2]};
}

}  // namespace tpx
