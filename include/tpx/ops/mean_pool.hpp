// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/kernel/mean_pool.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace ops {

struct mean_pool {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = op_rule("b s h, b -> b h", Linearity::nonlinear, {3, 1}, "s h", 0b10);
};

}  // namespace ops

/// One vector for each sentence: the mean of its tokens', of length 1. It has no gradient.
///
///   m[b,h] = 1/lengths[b] sum over s < lengths[b] of x[b,s,h],   y[b,:] = m[b,:] / |m[b,:]|
///
///   x  [b@dp,s,h]    lengths  i32 [b@dp]    y  [b@dp,h]
///
/// @pre    positions and features are whole
/// @post   a sentence without tokens gives 0
/// @comm   none
/// @throws tpx::Error naming the operands where the extents differ
/// @see    arXiv:1908.10084
template <Tensor X, Tensor Lengths>
auto mean_pool(const X& x, const Lengths& lengths) {
  constexpr bool fits =
      X::ndim == 3 && Lengths::ndim == 1 && std::is_same_v<typename Lengths::element_type, std::int32_t>;
  constexpr bool detached = !detail::recorded<X>;
  static_assert(fits, "tpx::mean_pool: x is [batch, positions, features], lengths i32 [batch]");
  static_assert(detached || !fits, "tpx::mean_pool: it has no gradient: detach(x)");
  using Op = ops::mean_pool;
  if constexpr (!fits || !detached) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Lengths>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::mean_pool");
    TPX_EXPECTS(x.extent(0) == lengths.extent(0), x.describe(), lengths.describe());
    auto y = detail::make_result<Op, T, 2, over<>>({x.extent(0), x.extent(2)}, x, lengths);
    const Shape n = x.local_shape();
    const T* in = x.data();
    x.mesh().context().launch({n.count(), n.count() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::mean_pool(exec, in, static_cast<const std::int32_t*>(lengths.data()), y.data(), n[0], n[1], n[2],
                        true);
    });
    return y;
  }
}

template <class Lengths>
refused mean_pool(refused, const Lengths&) {
  return {};
}

}  // namespace tpx
