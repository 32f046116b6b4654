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
    for (int d = XDims - Contracted; d < r.result_ndim; ++d)
      r.result[d] = static_cast<signed char>(Contracted + d);
    return r;
  }();
};

/// w is stored as its transpose: kept dim, then the contracted one.
template <int XDims>
struct matmul_transposed {
  static constexpr OpRule rule = op_rule("... k, n k -> ... n", Linearity::product, {XDims, 2});
};

}  // namespace ops

namespace detail {

/// Who multiplies on the mesh.
template <class Mesh, class Provider = typename Mesh::context_type::gemm_provider>
using gemm_of = std::conditional_t<std::is_void_v<Provider>, kernel::DefaultGemm, Provider>;

/// Y = X op(W);  X (m, k), op(W) (k, n)
template <class T, class Mesh>
void matmul_forward(const Mesh& mesh, kernel::Transpose stored, std::int64_t m, std::int64_t n, std::int64_t k,
                    const T* x, const T* w, T* y) {
  mesh.context().launch(
      {2 * m * n * k, (m * n + m * k + k * n) * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::gemm<gemm_of<Mesh>>(exec, kernel::Transpose::no, stored, m, n, k, T(1), x, w, T(0), y);
      });
}

/// dX (+)= dY op(W)^T,  d op(W) (+)= X^T dY;  extents m, n, k and whether W is stored transposed.
template <class T, class Mesh>
void matmul_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  using kernel::Transpose;
  const Region region("tpx::matmul_bwd");
  const std::int64_t m = r.extent[0], n = r.extent[1], k = r.extent[2];
  const bool transposed = r.extent[3] != 0;
  const T* x = r.saved[0].template as<T>();
  const T* w = r.saved[1].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  const Work work{2 * m * n * k, (m * n + m * k + k * n) * std::int64_t{sizeof(T)}};
  if (const Sink<T> dx = tape.template sink<T>(r.in[0])) {
    tape.mesh().context().launch(work, [&](const auto& exec) {
      kernel::gemm<gemm_of<Mesh>>(exec, Transpose::no, transposed ? Transpose::no : Transpose::yes, m, k, n,
                                  T(1), dy, w, dx.accumulate ? T(1) : T(0), dx.data);
    });
  }
  if (const Sink<T> dw = tape.template sink<T>(r.in[1])) {
    tape.mesh().context().launch(work, [&](const auto& exec) {
      const T beta = dw.accumulate ? T(1) : T(0);
      if (transposed) {
        kernel::gemm<gemm_of<Mesh>>(exec, Transpose::yes, Transpose::no, n, k, m, T(1), dy, x, beta, dw.data);
      } else {
        kernel::gemm<gemm_of<Mesh>>(exec, Transpose::yes, Transpose::no, k, n, m, T(1), x, dy, beta, dw.data);
      }
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
  constexpr bool both = Contracted >= 1 && Contracted <= X::ndim && Contracted <= W::ndim;
  static_assert(both, "tpx::matmul: the contracted dims are dims of both operands");
  using Op = ops::matmul<X::ndim, W::ndim, both ? Contracted : 0>;
  if constexpr (!both || !detail::admits<Op, over<>, X, W>()) {
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
    detail::matmul_forward(x.mesh(), kernel::Transpose::no, m, n, k, static_cast<const T*>(x.data()),
                           static_cast<const T*>(w.data()), y.data());
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

/// Multiplies with a weight that is stored as its transpose, [out, in]: an embedding's table as the output
/// layer.
///
///   y[i..., j] = sum over k of x[i..., k] w[j, k]
///
///   x  [s,k]{R:tp}    w  [n@tp,k]     y  [s,n@tp]
///
/// @pre    the last extents are equal
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the extents differ
template <Tensor X, Tensor W>
auto matmul_transposed(const X& x, const W& w) {
  static_assert(X::ndim >= 1 && W::ndim == 2, "tpx::matmul_transposed: the weight is [out, in]");
  using Op = ops::matmul_transposed<X::ndim>;
  if constexpr (!detail::admits<Op, over<>, X, W>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::matmul_t");
    TPX_EXPECTS(x.extent(X::ndim - 1) == w.extent(1), x.describe(), w.describe());
    Shape global = x.shape();
    global[X::ndim - 1] = w.extent(0);
    const Shape ws = w.local_shape();
    const std::int64_t m = x.local_shape().count(0, X::ndim - 1), n = ws[0], k = ws[1];
    auto y = detail::make_result<Op, T, X::ndim, over<>>(global, x, w);
    detail::matmul_forward(x.mesh(), kernel::Transpose::yes, m, n, k, static_cast<const T*>(x.data()),
                           static_cast<const T*>(w.data()), y.data());
    return detail::record(
        std::move(y), &detail::matmul_backward<T, typename X::mesh_type>,
        [&](auto& r) {
          r.saved[0] = x.shard();
          r.saved[1] = w.shard();
          r.extent[0] = m;
          r.extent[1] = n;
          r.extent[2] = k;
          r.extent[3] = 1;
        },
        x, w);
  }
}

template <class W>
refused matmul_transposed(refused, const W&) {
  return {};
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
