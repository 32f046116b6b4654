// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include <tpx/core/config.hpp>

/// exp, tanh and erf that a host compiler vectorises in float: branch-free, no table, no call, no
/// -ffast-math needed. Within 2 units in the last place of the exact value; NaN and infinities as in <cmath>.
/// Double goes to the standard library, and on a device both types to the device's own functions.
namespace tpx::math {

#if defined(__CUDA_ARCH__) || defined(__HIP_DEVICE_COMPILE__)
#define TPX_DEVICE_CODE 1
#endif

TPX_FUNCTION inline double exp(double x) { return ::exp(x); }
TPX_FUNCTION inline double tanh(double x) { return ::tanh(x); }
TPX_FUNCTION inline double erf(double x) { return ::erf(x); }
TPX_FUNCTION inline double log(double x) { return ::log(x); }
TPX_FUNCTION inline float log(float x) { return ::logf(x); }
TPX_FUNCTION inline double cos(double x) { return ::cos(x); }
TPX_FUNCTION inline double sqrt(double x) { return ::sqrt(x); }
TPX_FUNCTION inline float sqrt(float x) { return ::sqrtf(x); }

/// exp(x) = 2^n exp(r), n the integer nearest to x / ln 2; exp(r) = 1 + r + r^2 p(r), p a Chebyshev fit.
TPX_FORCEINLINE_FUNCTION float exp(float x) {
#ifdef TPX_DEVICE_CODE
  return ::expf(x);
#else
  // Beyond these the result is 0 or infinity anyhow; a NaN passes both.
  x = x < -105.0F ? -105.0F : x;
  x = x > 89.0F ? 89.0F : x;
  constexpr float shift = 12582912.0F;  // 1.5 2^23: adding it leaves the nearest integer in the low bits
  const float shifted = x * 1.44269504F + shift;
  const auto n =
      static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(shift));
  const float whole = shifted - shift;
  // ln 2 in two parts, so that the first product is exact
  const float r = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
  float p = 1.392620336e-3F;
  p = p * r + 8.363194882e-3F;
  p = p * r + 4.16665545e-2F;
  p = p * r + 1.666657689e-1F;
  p = p * r + 0.5F;
  p = p * (r * r) + r + 1.0F;
  // 2^n in two factors: n reaches beyond the exponents of a normal number on both sides
  const std::int32_t half = n >> 1;
  const float first = std::bit_cast<float>(static_cast<std::uint32_t>(half + 127) << 23);
  const float second = std::bit_cast<float>(static_cast<std::uint32_t>(n - half + 127) << 23);
  return p * first * second;
#endif
}

/// tanh: an odd polynomial near zero, 1 - 2 / (exp(2x) + 1) elsewhere.
TPX_FORCEINLINE_FUNCTION float tanh(float x) {
#ifdef TPX_DEVICE_CODE
  return ::tanhf(x);
#else
  const float a = std::fabs(x), z = x * x;
  float p = -6.26911972e-3F;
  p = p * z + 2.111095905e-2F;
  p = p * z - 5.387394885e-2F;
  p = p * z + 1.333291537e-1F;
  p = p * z - 3.333333033e-1F;
  const float near = a + a * (z * p);
  const float far = 1.0F - 2.0F / (exp(2.0F * a) + 1.0F);
  return std::copysign(a < 0.6F ? near : far, x);
#endif
}

/// erf: an odd polynomial up to 1; beyond, 1 - exp(q(x)) with q a fit of log(1 - erf) up to 4.
TPX_FORCEINLINE_FUNCTION float erf(float x) {
#ifdef TPX_DEVICE_CODE
  return ::erff(x);
#else
  const float a = std::fabs(x), z = x * x;
  float p = 7.875875063e-5F;
  p = p * z - 8.016864287e-4F;
  p = p * z + 5.189087423e-3F;
  p = p * z - 2.685421201e-2F;
  p = p * z + 1.128359472e-1F;
  p = p * z - 3.761262667e-1F;
  p = p * z + 1.28379166e-1F;  // without the leading 1, which is added last
  const float t = (a > 4.0F ? 4.0F : a) - 1.0F;
  float q = 1.637151415e-6F;
  q = q * t - 3.296083137e-5F;
  q = q * t + 3.202395664e-4F;
  q = q * t - 2.054300957e-3F;
  q = q * t + 1.007780803e-2F;
  q = q * t - 4.157574036e-2F;
  q = q * t - 8.431047416e-1F;
  q = q * t - 2.6389677F;
  q = q * t - 1.849605507F;
  return std::copysign(a < 1.0F ? a + a * p : 1.0F - exp(q), x);
#endif
}

#undef TPX_DEVICE_CODE

}  // namespace tpx::math
