// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <type_traits>
#include <utility>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/pointwise.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/ops/trailing.hpp>

namespace tpx {

namespace ops {

template <int XDims, int YDims>
struct add {
  static constexpr OpRule rule = detail::trailing_rule(Linearity::sum, {XDims, YDims});
};

}  // namespace ops

namespace detail {

/// dX (+)= dZ,  dY (+)= the sum of dZ over the rows;  extents rows, columns.
template <class T, class Mesh>
void add_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::add_bwd");
  const std::int64_t rows = r.extent[0], columns = r.extent[1];
  tape.template give<T>(r.in[0], tape.gradient_buffer(r.out));
  if (r.scalar[0] != 0) {  // of one shape
    tape.template give<T>(r.in[1], tape.gradient_buffer(r.out));
  } else if (const Sink<T> db = tape.template sink<T>(r.in[1])) {
    const T* dy = tape.template gradient_of<T>(r.out);
    tape.mesh().context().launch(
        {rows * columns, (rows + 1) * columns * std::int64_t{sizeof(T)}},
        [&](const auto& exec) { kernel::bias_gradient(exec, dy, db.data, rows, columns, db.accumulate); });
  }
}

}  // namespace detail

/// Adds a tensor whose dims are the last ones of the other: a residual, a bias, learned positions.
///
///   z[i..., j...] = x[i..., j...] + y[j...]
///
///   x  [b,s,h@tp]     y  [h@tp]     z  [b,s,h@tp]
///   x  [b@dp,s,h]     y  [h]{R:dp}  z  [b@dp,s,h]     dy is P on dp
///   x  [b,s,h]{P:tp}  y  [b,s,h]{P:tp}  z  [b,s,h]{P:tp}
///
/// The sum lies in the memory of an operand of its extents that goes with the call, as in add(matmul(x, w), b).
///
/// @pre    y's extents are x's last ones
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the extents differ
template <class First, class Second>
requires Tensor<std::remove_cvref_t<First>> && Tensor<std::remove_cvref_t<Second>>
auto add(First&& x, Second&& y) {
  using X = std::remove_cvref_t<First>;
  using Y = std::remove_cvref_t<Second>;
  static_assert(Y::ndim <= X::ndim, "tpx::add: the second operand has at most as many dims as the first");
  using Op = ops::add<X::ndim, Y::ndim>;
  if constexpr (!detail::admits<Op, over<>, X, Y>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::add");
    for (int d = 0; d < Y::ndim; ++d)
      TPX_EXPECTS(x.extent(X::ndim - Y::ndim + d) == y.extent(d), x.describe(), y.describe());
    const std::int64_t columns = y.local_count();
    const std::int64_t rows = x.local_shape().count(0, X::ndim - Y::ndim);
    x.shard().fetch();
    y.shard().fetch();
    const T* a = x.data();
    const T* b = y.data();
    Buffer memory = detail::memory_of_temporary(std::forward<First>(x));
    if constexpr (X::ndim == Y::ndim)
      if (!memory) memory = detail::memory_of_temporary(std::forward<Second>(y));
    auto z = detail::make_result_in<Op, T, X::ndim, over<>>(std::move(memory), x.shape(), x, y);
    x.mesh().context().launch({rows * columns, 3 * rows * columns * std::int64_t{sizeof(T)}},
                              [&](const auto& exec) {
                                if (X::ndim == Y::ndim) {
                                  kernel::add(exec, a, b, z.data(), columns);
                                } else {
                                  kernel::bias_add(exec, a, b, z.data(), rows, columns);
                                }
                              });
    return detail::record(
        std::move(z), &detail::add_backward<T, typename X::mesh_type>,
        [&](auto& r) {
          r.extent[0] = rows;
          r.extent[1] = columns;
          r.scalar[0] = X::ndim == Y::ndim ? 1 : 0;
        },
        x, y);
  }
}

template <class Y>
refused add(refused, const Y&) {
  return {};
}
template <Tensor X>
refused add(const X&, refused) {
  return {};
}

}  // namespace tpx
