// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <initializer_list>

#include <tpx/layout/rule.hpp>

namespace tpx::detail {

/// The rule of an op on operands whose dims are the last ones of the first; the result has the first's dims.
constexpr OpRule trailing_rule(Linearity linearity, std::initializer_list<int> ndim, unsigned values = 0) {
  OpRule r;
  r.linearity = linearity;
  r.values = values;
  const int all = r.result_ndim = *ndim.begin();
  for (int d = 0; d < all; ++d) r.result[d] = static_cast<signed char>(d);
  for (const int n : ndim) {
    const int i = r.operands++;
    r.ndim[i] = n;
    for (int d = 0; d < n; ++d) r.factor[i][d] = static_cast<signed char>(all - n + d);
  }
  return r;
}

}  // namespace tpx::detail
