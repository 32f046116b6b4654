// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/layout/rule.hpp>

namespace tpx::detail {

/// The rule of an op on x and on a y whose dims are the last ones of x; the result has x's dims.
constexpr OpRule trailing_rule(Linearity linearity, int x_dims, int y_dims) {
  OpRule r;
  r.linearity = linearity;
  r.operands = 2;
  r.ndim[0] = r.result_ndim = x_dims;
  r.ndim[1] = y_dims;
  for (int d = 0; d < x_dims; ++d) r.factor[0][d] = r.result[d] = static_cast<signed char>(d);
  for (int d = 0; d < y_dims; ++d) r.factor[1][d] = static_cast<signed char>(x_dims - y_dims + d);
  return r;
}

}  // namespace tpx::detail
