// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <mpi.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "statistics.hpp"

/// Two ways of doing the same thing, compared on a machine whose speed changes: each ratio is of two samples
/// taken one after the other, the pairs take turns in which way goes first, and the median of the ratios is
/// what counts.
namespace tpx::benchmark {

inline void check_mpi(int code, const char* what) {
  if (code != MPI_SUCCESS) throw std::runtime_error(std::string("the benchmark's ") + what + " failed");
}

/// The largest of the ranks' values, on every rank.
inline double largest(double mine, MPI_Comm world) {
  double all = mine;
  check_mpi(MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_MAX, world), "MPI_Allreduce");
  return all;
}

/// Seconds of one call of `work`, as the slowest rank has it, from `calls` calls between two barriers.
template <class Work>
double seconds(MPI_Comm world, int calls, Work&& work) {
  check_mpi(MPI_Barrier(world), "MPI_Barrier");
  const double start = MPI_Wtime();
  for (int i = 0; i < calls; ++i) work();
  check_mpi(MPI_Barrier(world), "MPI_Barrier");
  return largest(MPI_Wtime() - start, world) / calls;
}

struct Effort {
  int pairs = 60;
  double shortest_sample = 2e-3;  ///< seconds: work that is shorter is repeated within a sample
  int largest_calls = 100000;
};

struct Comparison {
  MedianInterval ratio;          ///< of the times, first over second
  double first = 0, second = 0;  ///< median seconds of one call
  int pairs = 0, calls = 0;
};

/// Compares the times of two ways.
/// @pre  both were called before, so that what is done once is done
template <class First, class Second>
Comparison compare(MPI_Comm world, const Effort& effort, First&& first, Second&& second) {
  // All ranks see the same times, and so do the same number of calls. The shortest of a few times counts: one
  // that was interrupted would make the samples too short.
  const auto shortest = [&](int n) {
    double least = seconds(world, n, second);
    for (int i = 0; i < 4; ++i) least = std::min(least, seconds(world, n, second));
    return least;
  };
  int calls = 1;
  for (double once = shortest(1); once * calls < effort.shortest_sample && calls < effort.largest_calls;
       once = shortest(calls)) {
    calls = static_cast<int>(std::min(std::ceil(1.2 * effort.shortest_sample / once), 8.0 * calls));
    calls = std::min(calls, effort.largest_calls);
  }
  seconds(world, calls, first);
  std::vector<double> ratios, firsts, seconds_;
  for (int pair = 0; pair < effort.pairs; ++pair) {
    double a = 0, b = 0;
    if (pair % 2 == 0) {
      a = seconds(world, calls, first);
      b = seconds(world, calls, second);
    } else {
      b = seconds(world, calls, second);
      a = seconds(world, calls, first);
    }
    ratios.push_back(a / b);
    firsts.push_back(a);
    seconds_.push_back(b);
  }
  return {median_interval(std::move(ratios)), median_interval(std::move(firsts)).median,
          median_interval(std::move(seconds_)).median, effort.pairs, calls};
}

}  // namespace tpx::benchmark
