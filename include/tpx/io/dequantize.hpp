// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tpx/io/dtype.hpp>
#include <tpx/io/half.hpp>

/// The block formats of GGUF. d and m are binary16; q are unsigned integers of the bits that are named; a
/// product of them is exact in float, so that a value is rounded once at most.
///
/// | format | bytes of a block, in order                          | value                        |
/// | Q4_0   | d 2, q 16 (4 bit)                                   | (q - 8) d                    |
/// | Q4_1   | d 2, m 2, q 16                                      | q d + m                      |
/// | Q5_0   | d 2, fifth bits of q 4, low bits 16                 | (q - 16) d                   |
/// | Q5_1   | d 2, m 2, fifth bits 4, low bits 16                 | q d + m                      |
/// | Q8_0   | d 2, q 32 (signed)                                  | q d                          |
/// | Q4_K   | d 2, m 2, (s, t) 12 (6 bit), q 128                  | q s d - t m, 8 parts of 32   |
/// | Q5_K   | d 2, m 2, (s, t) 12, fifth bits 32, low bits 128    | the same                     |
/// | Q6_K   | low bits 128, high bits 64, s 16 (signed), d 2      | (q - 32) s d, 16 parts of 16 |
namespace tpx::detail {

inline unsigned byte_at(const std::byte* p, int i) { return std::to_integer<unsigned>(p[i]); }

inline int signed_at(const std::byte* p, int i) { return static_cast<std::int8_t>(byte_at(p, i)); }

inline float half_at(const std::byte* p) {
  return float_from_half(static_cast<std::uint16_t>(byte_at(p, 0) | byte_at(p, 1) << 8));
}

/// Blocks of 32: the low four bits of byte j are element j's, the high ones element j + 16's.
inline void dequantize_nibbles(const std::byte* q, const std::byte* fifth, int zero, float d, float m,
                               float* to) {
  std::uint32_t high = 0;
  if (fifth != nullptr) std::memcpy(&high, fifth, sizeof high);
  for (int j = 0; j < 16; ++j) {
    const unsigned low = byte_at(q, j);
    to[j] = static_cast<float>(static_cast<int>((low & 0xfu) | (high >> j & 1u) << 4) - zero) * d + m;
    to[j + 16] = static_cast<float>(static_cast<int>(low >> 4 | (high >> (j + 16) & 1u) << 4) - zero) * d + m;
  }
}

/// Scale and offset of part j of eight: the first four pairs lie in the low six bits of bytes 0-7, the others
/// in the nibbles of bytes 8-11 with their top bits above the first four.
struct ScaleAndOffset {
  unsigned scale, offset;
};
inline ScaleAndOffset packed_scale(const std::byte* s, int j) {
  if (j < 4) return {byte_at(s, j) & 63u, byte_at(s, j + 4) & 63u};
  const unsigned low = byte_at(s, j + 4);
  return {(low & 0xfu) | byte_at(s, j - 4) >> 6 << 4, low >> 4 | byte_at(s, j) >> 6 << 4};
}

/// Q4_K, and Q5_K where there are fifth bits: 64 elements share 32 bytes, half of them the low nibbles.
inline void dequantize_4k(const std::byte* block, const std::byte* fifth, const std::byte* q, float* to) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int part = 0; part < 8; ++part) {
    const ScaleAndOffset s = packed_scale(block + 4, part);
    const float step = d * static_cast<float>(s.scale), low = m * static_cast<float>(s.offset);
    for (int l = 0; l < 32; ++l) {
      unsigned value = byte_at(q, part / 2 * 32 + l) >> (part % 2 * 4) & 0xfu;
      if (fifth != nullptr) value |= (byte_at(fifth, l) >> part & 1u) << 4;
      to[part * 32 + l] = step * static_cast<float>(value) - low;
    }
  }
}

inline void dequantize_6k(const std::byte* block, float* to) {
  const float d = half_at(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, quarter = i % 128 / 32, l = i % 32;
    const unsigned low = byte_at(block, half * 64 + quarter % 2 * 32 + l) >> (quarter / 2 * 4) & 0xfu;
    const unsigned high = byte_at(block, 128 + half * 32 + l) >> (quarter * 2) & 3u;
    const float step = d * static_cast<float>(signed_at(block, 192 + i / 16));
    to[i] = step * static_cast<float>(static_cast<int>(low | high << 4) - 32);
  }
}

/// The format_of(dtype).block values of one block.  @pre dtype is quantised
inline void dequantize(Dtype dtype, const std::byte* block, float* to) {
  switch (dtype) {
    case Dtype::q4_0:
      return dequantize_nibbles(block + 2, nullptr, 8, half_at(block), 0, to);
    case Dtype::q4_1:
      return dequantize_nibbles(block + 4, nullptr, 0, half_at(block), half_at(block + 2), to);
    case Dtype::q5_0:
      return dequantize_nibbles(block + 6, block + 2, 16, half_at(block), 0, to);
    case Dtype::q5_1:
      return dequantize_nibbles(block + 8, block + 4, 0, half_at(block), half_at(block + 2), to);
    case Dtype::q8_0:
      for (int j = 0; j < 32; ++j) to[j] = static_cast<float>(signed_at(block, 2 + j)) * half_at(block);
      return;
    case Dtype::q4_k:
      return dequantize_4k(block, nullptr, block + 16, to);
    case Dtype::q5_k:
      return dequantize_4k(block, block + 16, block + 48, to);
    case Dtype::q6_k:
      return dequantize_6k(block, to);
    default:
      return;
  }
}

}  // namespace tpx::detail
