// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include <mpi.h>

#include "result.hpp"

/// How an example checks itself and what it ends in.
namespace example {

/// Largest |a - b| over the largest |b|; infinite where the lengths differ, NaN where there is one.
template <class A, class B>
double difference(const std::vector<A>& a, const std::vector<B>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double most = 0, scale = std::numeric_limits<double>::min();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(d <= most)) most = d;
    if (std::isnan(most)) return most;
    scale = std::max(scale, std::abs(static_cast<double>(b[i])));
  }
  return most / scale;
}

/// "dp=2,tp=1"
template <class Mesh>
std::string sizes(const Mesh& mesh) {
  std::string text;
  for (int a = 0; a < mesh.grid().axes; ++a) {
    if (a > 0) text += ',';
    text += Mesh::names()[static_cast<std::size_t>(a)];
    text += '=';
    text += std::to_string(mesh.grid().size[a]);
  }
  return text;
}

/// Prints the last line, on rank 0, and gives the exit code: 0 where `ok` holds on every rank, else 1.
inline int finish(const std::string& name, const std::string& mesh, bool ok, const std::vector<Fact>& facts) {
  int rank = 0;
  int all = ok ? 1 : 0;
  if (MPI_Comm_rank(MPI_COMM_WORLD, &rank) != MPI_SUCCESS) return 1;
  if (MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD) != MPI_SUCCESS) return 1;
  if (rank == 0) {
    std::vector<Fact> line{{"example", name}, {"mesh", mesh}, {"ok", all == 1}};
    line.insert(line.end(), facts.begin(), facts.end());
    std::cout << "result " << Fact::braced(line) << std::endl;
  }
  return all == 1 ? 0 : 1;
}

}  // namespace example
