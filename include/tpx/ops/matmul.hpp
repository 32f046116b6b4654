// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/kernel/gemm.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace ops {

/// x: kept dims, then `Contracted` dims;  w: the contracted dims, then kept ones.
template <int XDims, int WDims, int Contracted>
struct matmul {
  static constexpr OpRule rule = [] {
    OpRule r;
    r.linearity = Linearity::product;
    r.operands = 2;
    r.ndim[0] = XDims;
    r.ndim[1] = WDims;
    r.result_ndim = XDims + WDims - 2 * Contracted;
    for (int d = 0; d < XDims; ++d) r.factor[0][d] = static_cast<signed char>(d);
    for (int d = 0; d < WDims; ++d) r.factor[1][d] = static_cast<signed char>(XDims - Contracted + d);
    for (int d = 0; d < XDims - Contracted; ++d) r.result[d] = static_cast<signed char>(d);
    for (int d = XDims - Contracted; d < r.result_ndim; ++d) r.result[d] = static_cast<signed char>(Contracted + d);
    return r;
  }();
};

}  // namespace ops

namespace detail {

/// dX (+)= dY W^T,  dW (+)= X^T dY;  extents m, n, k as in the forward.
template <class T, class Mesh>
void matmul_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  using kernel::Transpose;
  const Region region("tpx::matmul_bwd");
  const auto [m, n, k] = std::tuple(r.extent[0], r.extent[1], r.extent[2]);
  const T* x = r.saved[0].template as<T>();
  const T* w = r.saved[1].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  const Work work{2 * m * n * k, (m * n + m * k + k * n) * std::int64_t{sizeof(T)}};
  if (const Sink<T> dx = tape.template sink<T>(r.in[0])) {
    tape.mesh().context().launch(work, [&](const auto& exec) {
      kernel::gemm(exec, Transpose::no, Transpose::yes, m, k, n, T(1), dy, w, dx.accumulate ? T(1) : T(0), dx.data);
    });
  }
  if (const Sink<T> dw = tape.template sink<T>(r.in[1])) {
    tape.mesh().context().launch(work, [&](const auto& exec) {
      kernel::gemm(exec, Transpose::yes, Transpose::no, k, n, m, T(1), x, dy, dw.accumulate ? T(1) : T(0), dw.data);
    });
  }
}

}  // namespace detail

/// Multiplies over the last `Contracted` dims of x and the first ones of w.
///
///   y[i..., j...] = sum over c... of x[i..., c...] w[c..., j...]
///
///   x  [s,k]{R:tp}    w  [k,n@tp]     y  [s,n@tp]      column parallel
///   x  [s,k@tp]       w  [k@tp,n]     y  [s,n]{P:tp}   row parallel: the ranks hold terms of y
///
/// @pre    the contracted extents are equal
/// @post   the gathered y is the one-rank product, to rounding
/// @comm   none, forward or backward: the redistributes around it pay
/// @throws tpx::Error naming both operands where the extents differ
template <int Contracted = 1, Tensor X, Tensor W>
auto matmul(const X& x, const W& w) {
  static_assert(Contracted >= 1 && Contracted <= X::ndim && Contracted <= W::ndim,
                "tpx::matmul: the contracted dims are dims of both operands");
  using Op = ops::matmul<X::ndim, W::ndim, Contracted>;
  if constexpr (!detail::admits<Op, over<>, X, W>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    using Mesh = typename X::mesh_type;
    const detail::Region region("tpx::matmul");
    Shape global;
    for (int d = 0; d < X::ndim - Contracted; ++d) global.push_back(x.extent(d));
    for (int d = Contracted; d < W::ndim; ++d) global.push_back(w.extent(d));
    for (int d = 0; d < Contracted; ++d)
      TPX_EXPECTS(x.extent(X::ndim - Contracted + d) == w.extent(d), x.describe(), w.describe());
    const Shape xs = x.local_shape();
    const Shape ws = w.local_shape();
    const std::int64_t m = xs.count(0, X::ndim - Contracted);
    const std::int64_t k = ws.count(0, Contracted);
    const std::int64_t n = ws.count(Contracted, W::ndim);
    auto y = detail::make_result<Op, T, X::ndim + W::ndim - 2 * Contracted, over<>>(global, x, w);
    x.mesh().context().launch(
        {2 * m * n * k, (m * n + m * k + k * n) * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
          kernel::gemm(exec, kernel::Transpose::no, kernel::Transpose::no, m, n, k, T(1),
                       static_cast<const T*>(x.data()), static_cast<const T*>(w.data()), T(0), y.data());
        });
    return detail::record(
        std::move(y), &detail::matmul_backward<T, Mesh>,
        [&](auto& r) {
          r.saved[0] = x.shard();
          r.saved[1] = w.shard();
          r.extent[0] = m;
          r.extent[1] = n;
          r.extent[2] = k;
        },
        x, w);
  }
}

template <int Contracted = 1, class W>
refused matmul(refused, const W&) {
  return {};
}
template <int Contracted = 1, Tensor X>
refused matmul(const X&, refused) {
  return {};
}

}  // namespace tpx
