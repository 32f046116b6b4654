// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#define TPX_VERSION_MAJOR 0
#define TPX_VERSION_MINOR 1
#define TPX_VERSION_PATCH 0

/// Marks a function that kernels call. Floors without Kokkos need no Kokkos macro for it.
#if defined(__CUDACC__) || defined(__HIPCC__)
#define TPX_FUNCTION __host__ __device__
#else
#define TPX_FUNCTION
#endif

/// Marks a scalar function that loops vectorise around: a compiler that leaves the call in, because it counts
/// a few callers, makes them four times slower.
#if defined(__GNUC__)
#define TPX_FORCEINLINE_FUNCTION TPX_FUNCTION inline __attribute__((always_inline))
#else
#define TPX_FORCEINLINE_FUNCTION TPX_FUNCTION inline
#endif

/// How much is checked at run time: 0 none, 1 cheap (the default: arguments), 2 full (values too; the
/// default of Debug builds), 3 collective (checks that communicate: all ranks passed the same).
#ifndef TPX_CHECK_LEVEL
#define TPX_CHECK_LEVEL 1
#endif

namespace tpx {

inline constexpr int check_level_none = 0;
inline constexpr int check_level_cheap = 1;
inline constexpr int check_level_full = 2;
inline constexpr int check_level_collective = 3;

inline constexpr int check_level = TPX_CHECK_LEVEL;

}  // namespace tpx
