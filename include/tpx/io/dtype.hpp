// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

namespace tpx {

/// How a file stores the elements of a tensor. The quantised ones (from q4_0 on) store them by blocks, which
/// run along the last dim.
enum class Dtype : unsigned char {
  f64,
  f32,
  f16,
  bf16,
  i64,
  i32,
  i16,
  i8,
  u8,
  boolean,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q4_k,
  q5_k,
  q6_k
};

/// How large the elements of a Dtype are.
struct DtypeFormat {
  const char* name;    ///< as files and messages spell it
  std::int64_t block;  ///< elements that are stored together
  std::int64_t bytes;  ///< of a block
};

inline constexpr DtypeFormat dtype_formats[] = {
    {"F64", 1, 8},      {"F32", 1, 4},      {"F16", 1, 2},     {"BF16", 1, 2},   {"I64", 1, 8},
    {"I32", 1, 4},      {"I16", 1, 2},      {"I8", 1, 1},      {"U8", 1, 1},     {"BOOL", 1, 1},
    {"Q4_0", 32, 18},   {"Q4_1", 32, 20},   {"Q5_0", 32, 22},  {"Q5_1", 32, 24}, {"Q8_0", 32, 34},
    {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210}};

constexpr const DtypeFormat& format_of(Dtype dtype) { return dtype_formats[static_cast<unsigned char>(dtype)]; }

/// The most elements of any block.
inline constexpr std::int64_t largest_block = 256;

/// Whether a Dtype stores numbers with a fraction.
constexpr bool is_real(Dtype dtype) { return dtype <= Dtype::bf16 || dtype >= Dtype::q4_0; }

}  // namespace tpx
