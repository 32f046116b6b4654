// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/norm.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace ops {

template <int N>
struct layer_norm {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = op_rule("... h, h, h -> ... h", Linearity::nonlinear, {N, 1, 1}, "h");
};

}  // namespace ops

namespace detail {

/// Memory that is added to: zeroed where nothing was there, scratch where nobody wants the gradient.
template <class T, class Mesh>
T* added_to(Tape<Mesh>& tape, int node, std::int64_t count, Buffer& scratch) {
  Sink<T> to = tape.template sink<T>(node);
  if (!to) {
    scratch = allocate<T>(tape.mesh(), count);
    to.data = scratch.as<T>();
  }
  if (!to.accumulate)
    tape.mesh().context().launch({0, count * std::int64_t{sizeof(T)}},
                                 [&](const auto& exec) { kernel::fill(exec, to.data, count, T(0)); });
  return to.data;
}

/// Extents rows, columns; saved x, gamma, mean, 1/deviation.
template <class T, class Mesh>
void layer_norm_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::norm_bwd");
  const std::int64_t rows = r.extent[0], columns = r.extent[1];
  const T* x = r.saved[0].template as<T>();
  const T* gamma = r.saved[1].template as<T>();
  const T* mean = r.saved[2].template as<T>();
  const T* rstd = r.saved[3].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  Buffer scratch_x, scratch_gamma, scratch_beta;
  Sink<T> dx = tape.template sink<T>(r.in[0]);
  if (!dx) {
    scratch_x = allocate<T>(tape.mesh(), rows * columns);
    dx.data = scratch_x.as<T>();
  }
  T* dgamma = added_to<T>(tape, r.in[1], columns, scratch_gamma);
  T* dbeta = added_to<T>(tape, r.in[2], columns, scratch_beta);
  tape.mesh().context().launch({14 * rows * columns, 5 * rows * columns * std::int64_t{sizeof(T)}},
                               [&](const auto& exec) {
                                 kernel::layer_norm_backward(exec, x, gamma, mean, rstd, dy, dx.data, dgamma,
                                                             dbeta, rows, columns, dx.accumulate);
                               });
}

}  // namespace detail

/// Normalises over the last dim, then scales and shifts.
///
///   y = gamma (x - mean) / sqrt(variance + epsilon) + beta
///
///   x, y  [b,s,h]             gamma, beta  [h]
///   x, y  [b@dp,s@tp,h]       gamma, beta  [h]{R:dp,tp}     sequence parallel: dgamma, dbeta are P on tp
///
/// @pre    the last dim is whole on every rank, and x is not Partial
/// @comm   none, forward or backward
/// @throws tpx::Error naming the operands where the extents differ
/// @see    arXiv:1607.06450
template <Tensor X, Tensor Gamma, Tensor Beta>
auto layer_norm(const X& x, const Gamma& gamma, const Beta& beta, double epsilon = 1e-5) {
  constexpr bool dims = X::ndim >= 1 && Gamma::ndim == 1 && Beta::ndim == 1;
  static_assert(dims, "tpx::layer_norm: gamma and beta have one dim, the last of x");
  using Op = ops::layer_norm<X::ndim>;
  if constexpr (!dims) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Gamma, Beta>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::layer_norm");
    TPX_EXPECTS(x.extent(X::ndim - 1) == gamma.extent(0) && gamma.extent(0) == beta.extent(0), x.describe(),
                gamma.describe(), beta.describe());
    const std::int64_t columns = gamma.extent(0);
    const std::int64_t rows = x.local_shape().count(0, X::ndim - 1);
    auto y = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x, gamma, beta);
    Buffer mean = detail::allocate<T>(x.mesh(), rows);
    Buffer rstd = detail::allocate<T>(x.mesh(), rows);
    x.mesh().context().launch(
        {8 * rows * columns, 2 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
          kernel::layer_norm(exec, static_cast<const T*>(x.data()), static_cast<const T*>(gamma.data()),
                             static_cast<const T*>(beta.data()), y.data(), mean.as<T>(), rstd.as<T>(), rows,
                             columns, epsilon);
        });
    return detail::record(
        std::move(y), &detail::layer_norm_backward<T, typename X::mesh_type>,
        [&](auto& r) {
          r.saved[0] = x.shard();
          r.saved[1] = gamma.shard();
          r.saved[2] = mean;
          r.saved[3] = rstd;
          r.extent[0] = rows;
          r.extent[1] = columns;
        },
        x, gamma, beta);
  }
}

template <class X, class Gamma, class Beta>
requires(detail::is_refused<X> || detail::is_refused<Gamma> || detail::is_refused<Beta>) refused
    layer_norm(const X& x, const Gamma& gamma, const Beta& beta, double = 0) {
  return detail::refused_again(x, gamma, beta);
}

}  // namespace tpx
