// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/ops/elementwise.hpp>

/// The functions of each element that have names. `elementwise` takes others.
namespace tpx {

namespace detail {

struct Scale : kernel::Scale {
  static constexpr bool computes_fractions = true;
  static constexpr Linearity linearity = Linearity::product;
};
struct Subtract : kernel::Subtract {
  static constexpr Linearity linearity = Linearity::sum;
};
struct Multiply : kernel::Multiply {
  static constexpr Linearity linearity = Linearity::product;
};

}  // namespace detail

/// The Gaussian error linear unit, elementwise.
///
///   y = x/2 (1 + erf(x / sqrt 2))
///
/// @pre    x is not Partial: gelu(a + b) is not gelu(a) + gelu(b)
/// @comm   none, forward or backward
/// @see    arXiv:1606.08415
template <class X>
auto gelu(const X& x) {
  return elementwise(kernel::Gelu{}, x);
}

/// GELU in the form that GPT-2 uses.
///
///   y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
///
/// @pre    x is not Partial
/// @comm   none, forward or backward
/// @see    arXiv:1606.08415, section 2
template <class X>
auto gelu_tanh(const X& x) {
  return elementwise(kernel::GeluTanh{}, x);
}

/// y = max(x, 0); the derivative at 0 is 0.
/// @pre    x is not Partial
/// @comm   none, forward or backward
template <class X>
auto relu(const X& x) {
  return elementwise(kernel::Relu{}, x);
}

/// y = x / (1 + exp(-x)).
/// @pre    x is not Partial
/// @comm   none, forward or backward
/// @see    arXiv:1702.03118
template <class X>
auto silu(const X& x) {
  return elementwise(kernel::Silu{}, x);
}

/// y = tanh(x).
/// @pre    x is not Partial
/// @comm   none, forward or backward
template <Tensor X>
auto tanh(const X& x) {
  return elementwise(kernel::Tanh{}, x);
}

/// y = exp(x).
/// @pre    x is not Partial
/// @comm   none, forward or backward
template <Tensor X>
auto exp(const X& x) {
  return elementwise(kernel::Exp{}, x);
}

/// y = factor x, for any layout, Partial too.
/// @comm   none, forward or backward
template <class X>
auto scale(const X& x, double factor) {
  return elementwise(detail::Scale{{factor}}, x);
}

/// z = x - y; the dims of y are the last ones of x.
///
///   x  [b,s,h]{P:tp}    y  [b,s,h]{P:tp}    z  [b,s,h]{P:tp}
///   x  [b@dp,s,h]       y  [h]{R:dp}        z  [b@dp,s,h]         dy is P on dp
///
/// @pre    y's extents are x's last ones; Partial are both or none
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the extents differ
template <class X, class Y>
auto subtract(const X& x, const Y& y) {
  return elementwise(detail::Subtract{}, x, y);
}

/// z = x y, element by element; the dims of y are the last ones of x.
///
///   x  [b,s,h]{P:tp}    y  [b,s,h]{R:tp}    z  [b,s,h]{P:tp}
///   x  [b@dp,s,h]       y  [h]{R:dp}        z  [b@dp,s,h]         dy is P on dp
///
/// @pre    y's extents are x's last ones; where one operand is Partial the other is Replicate
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the extents differ
template <class X, class Y>
auto multiply(const X& x, const Y& y) {
  return elementwise(detail::Multiply{}, x, y);
}

inline refused tanh(refused) { return {}; }
inline refused exp(refused) { return {}; }

}  // namespace tpx
