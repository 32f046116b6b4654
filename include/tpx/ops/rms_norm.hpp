// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/rms_norm.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace ops {

template <int N>
struct rms_norm {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = op_rule("... h, h -> ... h", Linearity::nonlinear, {N, 1}, "h");
};

}  // namespace ops

namespace detail {

/// Extents rows, columns; saved x, gamma, 1/root mean square.
template <class T, class Mesh>
void rms_norm_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::rms_norm_bwd");
  const std::int64_t rows = r.extent[0], columns = r.extent[1];
  const T* x = r.saved[0].template as<T>();
  const T* gamma = r.saved[1].template as<T>();
  const T* rstd = r.saved[2].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  const Work work{8 * rows * columns, 3 * rows * columns * std::int64_t{sizeof(T)}};
  if (const Sink<T> dx = tape.template sink<T>(r.in[0])) {
    tape.mesh().context().launch(work, [&](const auto& exec) {
      kernel::rms_norm_dx(exec, x, gamma, rstd, dy, dx.data, rows, columns, dx.accumulate);
    });
  }
  if (const Sink<T> dgamma = tape.template sink<T>(r.in[1])) {
    tape.mesh().context().launch(work, [&](const auto& exec) {
      kernel::rms_norm_dgamma(exec, x, rstd, dy, dgamma.data, rows, columns, dgamma.accumulate);
    });
  }
}

}  // namespace detail

/// Divides by the root mean square over the last dim, then scales.
///
///   y = gamma x / sqrt(mean of x^2 + epsilon)
///
///   x, y  [b,s,h]             gamma  [h]
///   x, y  [b@dp,s@tp,h]       gamma  [h]{R:dp,tp}     sequence parallel: dgamma is P on tp
///
/// @pre    the last dim is whole on every rank, and x is not Partial
/// @comm   none, forward or backward
/// @throws tpx::Error naming the operands where the extents differ
/// @see    arXiv:1910.07467
template <Tensor X, Tensor Gamma>
auto rms_norm(const X& x, const Gamma& gamma, double epsilon = 1e-5) {
  constexpr bool dims = X::ndim >= 1 && Gamma::ndim == 1;
  static_assert(dims, "tpx::rms_norm: gamma has one dim, the last of x");
  using Op = ops::rms_norm<X::ndim>;
  if constexpr (!dims) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Gamma>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::rms_norm");
    TPX_EXPECTS(x.extent(X::ndim - 1) == gamma.extent(0), x.describe(), gamma.describe());
    const std::int64_t columns = gamma.extent(0);
    const std::int64_t rows = x.local_shape().count(0, X::ndim - 1);
    auto y = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x, gamma);
    Buffer rstd = detail::allocate<T>(x.mesh(), rows);
    const T* in = x.data();
    const T* weight = gamma.data();
    x.mesh().context().launch(
        {5 * rows * columns, 2 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
          kernel::rms_norm(exec, in, weight, y.data(), rstd.as<T>(), rows, columns, epsilon);
        });
    return detail::record(
        std::move(y), &detail::rms_norm_backward<T, typename X::mesh_type>,
        [&](auto& r) {
          r.saved[0] = x.shard();
          r.saved[1] = gamma.shard();
          r.saved[2] = rstd;
          r.extent[0] = rows;
          r.extent[1] = columns;
        },
        x, gamma);
  }
}

template <class Gamma>
refused rms_norm(refused, const Gamma&, double = 0) {
  return {};
}
template <Tensor X>
refused rms_norm(const X&, refused, double = 0) {
  return {};
}

}  // namespace tpx
