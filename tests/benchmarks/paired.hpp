// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <mpi.h>
#include <unistd.h>

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

/// The same for work in which no rank waits for another: the barrier is not part of it.
template <class Work>
double seconds_apart(MPI_Comm world, int calls, Work&& work) {
  check_mpi(MPI_Barrier(world), "MPI_Barrier");
  const double start = MPI_Wtime();
  for (int i = 0; i < calls; ++i) work();
  return largest(MPI_Wtime() - start, world) / calls;
}

/// Seconds of one call of `work` on rank 0, on every rank; meanwhile the others sleep.
template <class Work>
double seconds_alone(MPI_Comm world, int calls, Work&& work) {
  int rank = 0, done = 0;
  check_mpi(MPI_Comm_rank(world, &rank), "MPI_Comm_rank");
  check_mpi(MPI_Barrier(world), "MPI_Barrier");
  double spent = 0;
  if (rank == 0) {
    const double start = MPI_Wtime();
    for (int i = 0; i < calls; ++i) work();
    spent = MPI_Wtime() - start;
  }
  MPI_Request all{};
  check_mpi(MPI_Ibarrier(world, &all), "MPI_Ibarrier");
  while (done == 0) {
    check_mpi(MPI_Test(&all, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0) usleep(100);
  }
  return largest(spent, world) / calls;
}

struct Effort {
  int pairs = 0;                  ///< 0: 200 where a sample is short, else 60
  double shortest_sample = 2e-3;  ///< seconds: work that is shorter is repeated within a sample
  int largest_calls = 100000;
};

struct Comparison {
  MedianInterval ratio;          ///< of the times, first over second
  double first = 0, second = 0;  ///< median seconds of one call
  int pairs = 0, calls = 0;
};

/// Compares two ways, each a function that gives the seconds of one of so many calls, the same on all ranks.
/// @pre  both were called before, so that what is done once is done
template <class First, class Second>
Comparison compare_samples(const Effort& effort, First&& first, Second&& second) {
  // All ranks see the same times, and so do the same number of calls. The shortest of a few times counts: one
  // that was interrupted would make the samples too short.
  const auto shortest = [&](int n) {
    double least = second(n);
    for (int i = 0; i < 4; ++i) least = std::min(least, second(n));
    return least;
  };
  int calls = 1;
  for (double once = shortest(1); once * calls < effort.shortest_sample && calls < effort.largest_calls;
       once = shortest(calls)) {
    calls = static_cast<int>(std::min(std::ceil(1.2 * effort.shortest_sample / once), 8.0 * calls));
    calls = std::min(calls, effort.largest_calls);
  }
  first(calls);
  const int pairs = effort.pairs > 0 ? effort.pairs : second(calls) * calls < 10e-3 ? 200 : 60;
  std::vector<double> ratios, firsts, seconds_;
  for (int pair = 0; pair < pairs; ++pair) {
    double a = 0, b = 0;
    if (pair % 2 == 0) a = first(calls);
    b = second(calls);
    if (pair % 2 == 1) a = first(calls);
    ratios.push_back(a / b);
    firsts.push_back(a);
    seconds_.push_back(b);
  }
  return {median_interval(std::move(ratios)), median_interval(std::move(firsts)).median,
          median_interval(std::move(seconds_)).median, pairs, calls};
}

/// Compares the times of two ways that all ranks go together.
template <class First, class Second>
Comparison compare(MPI_Comm world, const Effort& effort, First&& first, Second&& second) {
  return compare_samples(
      effort, [&](int calls) { return seconds(world, calls, first); },
      [&](int calls) { return seconds(world, calls, second); });
}

/// The ratio times a factor.
inline Comparison scaled(Comparison c, double factor) {
  c.ratio = {c.ratio.median * factor, c.ratio.low * factor, c.ratio.high * factor};
  return c;
}

}  // namespace tpx::benchmark
