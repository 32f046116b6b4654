// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/math.hpp>
#include <tpx/core/philox.hpp>
#include <tpx/kernel/group.hpp>

/// Random numbers keyed by seed, stream and global index: however a tensor is split over ranks, each of its
/// elements gets the same bits.
namespace tpx::kernel {

/// Where the elements of a local array lie in the global one, both row-major.
struct IndexMap {
  static constexpr int largest_ndim = 8;
  int ndim = 0;
  std::int64_t local_extent[largest_ndim] = {};
  std::int64_t global_offset[largest_ndim] = {};  ///< of the local array's first element
  std::int64_t global_extent[largest_ndim] = {};

  /// Number of local elements; 1 without dims.
  TPX_FUNCTION constexpr std::int64_t size() const {
    std::int64_t n = 1;
    for (int d = 0; d < ndim; ++d) n *= local_extent[d];
    return n;
  }
  /// The row-major index in the global array of a local one.
  TPX_FUNCTION constexpr std::int64_t global(std::int64_t local) const {
    std::int64_t index = 0, stride = 1;
    for (int d = ndim - 1; d >= 0; --d) {
      index += (global_offset[d] + local % local_extent[d]) * stride;
      local /= local_extent[d];
      stride *= global_extent[d];
    }
    return index;
  }
};

namespace impl {

template <class T>
struct FillUniform {
  T* dst;
  IndexMap map;
  std::uint64_t seed, stream;
  double low, high;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const PhiloxBlock bits = philox(seed, stream, static_cast<std::uint64_t>(map.global(i)));
    dst[i] = static_cast<T>(low + (high - low) * unit_interval(bits.word[0], bits.word[1]));
  }
};

/// Box and Muller's transform, one block for each number.
template <class T>
struct FillNormal {
  T* dst;
  IndexMap map;
  std::uint64_t seed, stream;
  double mean, deviation;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const PhiloxBlock bits = philox(seed, stream, static_cast<std::uint64_t>(map.global(i)));
    const double u = 1.0 - unit_interval(bits.word[0], bits.word[1]);  // in (0, 1]
    const double angle = 6.28318530717958647692 * unit_interval(bits.word[2], bits.word[3]);
    dst[i] = static_cast<T>(mean + deviation * math::sqrt(-2.0 * math::log(u)) * math::cos(angle));
  }
};

}  // namespace impl

/// Fills a local array with uniform numbers in [low, high); in float the largest may round to `high`.
///
/// @post   an element depends on seed, stream and its global index alone
template <class T, class Exec>
void fill_uniform(const Exec& exec, T* dst, const IndexMap& map, std::uint64_t seed, std::uint64_t stream,
                  double low, double high) {
  for_each(exec, "tpx::fill_uniform", map.size(), impl::FillUniform<T>{dst, map, seed, stream, low, high});
}

/// Fills a local array with normal numbers.
///
/// @post   an element depends on seed, stream and its global index alone
template <class T, class Exec>
void fill_normal(const Exec& exec, T* dst, const IndexMap& map, std::uint64_t seed, std::uint64_t stream,
                 double mean, double deviation) {
  for_each(exec, "tpx::fill_normal", map.size(), impl::FillNormal<T>{dst, map, seed, stream, mean, deviation});
}

}  // namespace tpx::kernel
