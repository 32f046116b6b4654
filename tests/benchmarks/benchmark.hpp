// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/tensor/environment.hpp>

#include "paired.hpp"

namespace tpx::benchmark {

struct Run {
  const comm::Mpi& world;
  Effort effort;
  bool smoke;
  bool speaks() const { return world.rank() == 0; }
};

enum class Goal { at_most, at_least, exactly };

/// One line of the result: a value with its goal. It runs on 2 ranks of one thread each.
struct Benchmark {
  std::string_view name;
  double goal;
  Goal sense;
  Comparison (*run)(const Run&);

  bool holds(double value) const {
    return sense == Goal::at_most ? value <= goal : sense == Goal::at_least ? value >= goal : value == goal;
  }
};

// In the order in which they run; each table stands in the file of its name.
std::span<const Benchmark> twin_benchmarks();
std::span<const Benchmark> kernel_benchmarks();
std::span<const Benchmark> scaling_benchmarks();
std::span<const Benchmark> decode_benchmarks();
std::span<const Benchmark> element_benchmarks();

/// A comparison that is no ratio of two times: all that counts is the value.
inline Comparison just(double value) { return {{value, value, value}, 0, 0, 1, 1}; }

// Where a rank of one thread is fastest.
#ifdef KOKKOS_ENABLE_SERIAL
using Space = Kokkos::Serial;
#else
using Space = Kokkos::DefaultHostExecutionSpace;
#endif

/// Rewrites an input before a call, so that none finds what the one before it left; part of the time of both
/// ways.
inline void negate(float* x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) x[i] = -x[i];
}

/// The model with its input rewritten.
template <class Model>
Model& fresh(Model& model) {
  if constexpr (requires { model.x.local_count(); }) {
    negate(model.x.data(), model.x.local_count());
  } else {
    negate(model.x.data(), static_cast<std::int64_t>(model.x.size()));
  }
  return model;
}

/// Throws, on every rank, where the two differ on one by more than rounding. (A gradient may be 0 but for that,
/// as the softmax makes nothing of a bias of the keys: `scale` is of the numbers that were added for it.)
inline void expect_equal(const Run& run, const char* what, const std::vector<float>& found,
                         const float* expected, std::size_t size, float scale = 0.1F) {
  float difference = 0;
  bool equal = found.size() == size;
  for (std::size_t i = 0; equal && i < size; ++i) scale = std::max(scale, std::abs(expected[i]));
  for (std::size_t i = 0; i < std::min(found.size(), size); ++i) {
    const float apart = std::abs(found[i] - expected[i]);
    if (apart <= 2e-5F * scale) continue;
    equal = false;  // for a NaN too
    difference = std::max(difference, apart);
  }
  if (largest(equal ? 0 : 1, run.world.native()) != 0)
    fail(std::string("tpx_benchmarks: the two ways differ: ") + what + " by " + std::to_string(difference) +
         " of " + std::to_string(scale) + " on this rank");
}

}  // namespace tpx::benchmark
