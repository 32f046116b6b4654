// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/core/config.hpp>

namespace tpx {

/// Four 32-bit words: a counter, or the random block that belongs to it.
struct PhiloxBlock {
  std::uint32_t word[4];
  friend constexpr bool operator==(const PhiloxBlock&, const PhiloxBlock&) = default;
};

/// The two words that choose the bijection.
struct PhiloxKey {
  std::uint32_t word[2];
};

/// The counter-based generator Philox 4x32-10: a bijection of 128-bit counters for each 64-bit key.
///
/// It has no state, so the number at an index is the same whoever computes it, on any rank and any device.
///
/// @see    Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011), section 4.3
TPX_FUNCTION constexpr PhiloxBlock philox(PhiloxBlock counter, PhiloxKey key) {
  constexpr std::uint64_t multiplier0 = 0xD2511F53U, multiplier1 = 0xCD9E8D57U;
  constexpr std::uint32_t golden_ratio = 0x9E3779B9U, root_of_three = 0xBB67AE85U;  // Weyl steps of the key
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = multiplier0 * counter.word[0];
    const std::uint64_t product1 = multiplier1 * counter.word[2];
    counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key.word[0],
                static_cast<std::uint32_t>(product1),
                static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key.word[1],
                static_cast<std::uint32_t>(product0)}};
    key.word[0] += golden_ratio;
    key.word[1] += root_of_three;
  }
  return counter;
}

/// The block at 64-bit `index` of `stream`, under `seed`.
TPX_FUNCTION constexpr PhiloxBlock philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return philox(PhiloxBlock{{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                             static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)}},
                PhiloxKey{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}});
}

/// The first 53 of 64 random bits as a double in [0, 1).
TPX_FUNCTION constexpr double unit_interval(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (static_cast<std::uint64_t>(high) << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

}  // namespace tpx
