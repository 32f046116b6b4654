// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/layout/distribution.hpp>

#include <cstdint>
#include <vector>

/// The values that make_files.py puts into its files, and parts of them by their definition.
namespace tpx::test {

template <class T>
std::vector<T> real_values(std::int64_t n) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(static_cast<T>(static_cast<T>(7 * i % 64 - 32) / 4));
  return values;
}

template <class T>
std::vector<T> whole_values(std::int64_t n) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(static_cast<T>(11 * i % 100));
  return values;
}

/// Rank i of p that split one dim.
inline Distribution split(const Shape& shape, int dim, int p, int i) {
  Grid grid;
  grid.axes = 1;
  grid.size[0] = p;
  grid.coordinate[0] = i;
  return Distribution(shape, Spec{}.with(0, {Kind::shard, dim, 0}), grid);
}

/// The local elements, each looked up at its global index.
template <class T>
std::vector<T> part_of(const std::vector<T>& whole, const Distribution& d) {
  std::vector<T> values;
  const Shape local = d.local();
  for (std::int64_t i = 0; i < local.count(); ++i) {
    std::int64_t rest = i, at = 0, stride = 1;
    for (int dim = d.ndim() - 1; dim >= 0; --dim) {
      at += d.to_global(dim, {rest % local[dim]}).value * stride;
      rest /= local[dim];
      stride *= d.global()[dim];
    }
    values.push_back(whole[static_cast<std::size_t>(at)]);
  }
  return values;
}

}  // namespace tpx::test
