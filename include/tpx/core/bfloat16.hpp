// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/core/config.hpp>

namespace tpx {

/// The upper 16 bits of a float: its sign, its exponent and 7 of its 23 bits of mantissa. Numbers are stored
/// and sent as such; one computes in float, which a bfloat16 becomes by itself and exactly:
///
///   bfloat16 a(0.1), b(0.2F);        the nearest ones
///   const float sum = a + b;         arithmetic and comparisons are float's
///   const bfloat16 c(sum);           the way back rounds, so it is written
class bfloat16 {
 public:
  bfloat16() = default;

  /// The nearest one, the even one of two; infinity from there on where the largest one would be rounded up. A
  /// NaN stays a NaN, and is quiet.
  template <class Number>
  requires std::is_arithmetic_v<Number> TPX_FORCEINLINE_FUNCTION constexpr explicit bfloat16(Number value)
      : bits_(
            upper_half(static_cast<std::conditional_t<std::is_same_v<Number, float>, float, double>>(value))) {}

  /// @post exact, for every pattern
  TPX_FORCEINLINE_FUNCTION constexpr operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits_) << 16);
  }

  /// Rounds at each addition: a sum of many terms is better taken in float.
  TPX_FORCEINLINE_FUNCTION constexpr bfloat16& operator+=(float term) {
    return *this = bfloat16(static_cast<float>(*this) + term);
  }

  TPX_FUNCTION static constexpr bfloat16 from_bits(std::uint16_t bits) {
    bfloat16 value{};
    value.bits_ = bits;
    return value;
  }
  TPX_FUNCTION constexpr std::uint16_t bits() const { return bits_; }

 private:
  // The builtin is std::bit_cast, which compilers for devices do not call.
  TPX_FORCEINLINE_FUNCTION static constexpr std::uint16_t upper_half(float value) {
    const auto bits = __builtin_bit_cast(std::uint32_t, value);
    const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    const std::uint32_t half = is_nan ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    return static_cast<std::uint16_t>(half);
  }
  TPX_FORCEINLINE_FUNCTION static constexpr std::uint16_t upper_half(double value) {
    return upper_half(between(value));
  }

  /// A float on the same side of each bfloat16, and of the middle between two, as the double, so that rounding
  /// it is rounding the double: the float next to it towards zero, with an odd last bit where that is not the
  /// double itself.
  TPX_FORCEINLINE_FUNCTION static constexpr float between(double value) {
    const auto nearest = static_cast<float>(value);
    const double back = nearest;
    const bool is_beyond = value < 0 ? back < value : back > value;
    const std::uint32_t towards_zero = __builtin_bit_cast(std::uint32_t, nearest) - (is_beyond ? 1u : 0u);
    return __builtin_bit_cast(float, towards_zero | (back == value ? 0u : 1u));  // of a NaN a NaN
  }

  std::uint16_t bits_;
};

static_assert(sizeof(bfloat16) == 2 && std::is_trivial_v<bfloat16>);

}  // namespace tpx
