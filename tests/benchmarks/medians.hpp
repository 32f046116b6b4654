// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "paired.hpp"
#include "statistics.hpp"

/// Two ways whose input is written anew before every call: only the call is timed.
namespace tpx::benchmark {

template <class Prepare, class Work>
struct Timed {
  Prepare prepare;
  Work work;
};
template <class Prepare, class Work>
Timed(Prepare, Work) -> Timed<Prepare, Work>;

/// The median seconds of a call, on the slower rank; as many calls as there is room for times.
template <class Prepare, class Work>
double median_seconds(MPI_Comm world, std::vector<double>& times, Timed<Prepare, Work>& way) {
  check_mpi(MPI_Barrier(world), "MPI_Barrier");
  for (double& time : times) {
    way.prepare();
    const double start = MPI_Wtime();
    way.work();
    time = MPI_Wtime() - start;
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return largest(*middle, world);
}

struct Medians {
  MedianInterval ratio;          ///< of the times, first over second
  double first = 0, second = 0;  ///< median seconds of one call
};

/// Samples of both ways take turns.
template <class First, class Second>
Medians median_pairs(MPI_Comm world, std::vector<double>& times, int pairs, First&& one, Second&& other) {
  std::vector<double> ratios, firsts, seconds;
  for (int pair = 0; pair < pairs; ++pair) {
    double first = 0, second = 0;
    if (pair % 2 == 0) first = median_seconds(world, times, one);
    second = median_seconds(world, times, other);
    if (pair % 2 == 1) first = median_seconds(world, times, one);
    ratios.push_back(first / second);
    firsts.push_back(first);
    seconds.push_back(second);
  }
  return {median_interval(std::move(ratios)), median_interval(std::move(firsts)).median,
          median_interval(std::move(seconds)).median};
}

}  // namespace tpx::benchmark
