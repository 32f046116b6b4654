// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tpx/kernel/elementwise.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/ops/trailing.hpp>

namespace tpx {

namespace detail {

/// A functor says with `linearity` how it depends on its arguments, and with `flops` what it costs.
template <class Fn>
constexpr Linearity linearity_of() {
  if constexpr (requires { Fn::linearity; }) {
    return Fn::linearity;
  } else {
    return Linearity::nonlinear;
  }
}
template <class Fn>
constexpr std::int64_t flops_of() {
  if constexpr (requires { Fn::flops; }) {
    return Fn::flops;
  } else {
    return 1;
  }
}

template <class Fn>
inline constexpr bool fits_a_record = std::is_trivially_copyable_v<Fn> &&
                                      sizeof(Fn) <= 6 * sizeof(std::int64_t);

template <bool fits, class... Facts>
constexpr void a_functor_comes_first() {
  static_assert(fits,
                "tpx::elementwise: a functor comes first, and has value and derivatives: of one tensor "
                "value(x) and derivative(x), of two value(x, y), dx(x, y) and dy(x, y), of more "
                "value(x...) and derivative<0>(x...) and so on (see op)");
}

}  // namespace detail

namespace ops {

template <class Fn, int N>
struct elementwise {
  static constexpr bool computes_fractions = detail::computes_fractions<Fn>;
  static constexpr OpRule rule = op_rule("... -> ...", detail::linearity_of<Fn>(), {N});
};
template <class Fn, int XDims, int YDims>
struct elementwise_of_two {
  static constexpr OpRule rule = detail::trailing_rule(detail::linearity_of<Fn>(), {XDims, YDims});
};

}  // namespace ops

namespace detail {

/// The functor's state travels in the record: extents 2 to 7.
template <class Fn, class Mesh>
void save_functor(Record<Mesh>& r, const Fn& fn) {
  std::memcpy(&r.extent[2], &fn, sizeof(Fn));
}
template <class Fn, class Mesh>
Fn saved_functor(const Record<Mesh>& r) {
  struct Bytes {
    std::byte byte[sizeof(Fn)];
  } bytes;
  std::memcpy(&bytes, &r.extent[2], sizeof(Fn));
  return std::bit_cast<Fn>(bytes);
}

/// dX (+)= dY fn'(X);  extent n. A linear function keeps no operand: its derivative does not look at it.
template <class Fn, class T, class Mesh>
void unary_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::unary_bwd");
  const std::int64_t n = r.extent[0];
  const Fn fn = saved_functor<Fn>(r);
  const T* dy = tape.template gradient_of<T>(r.out);
  const bool kept = linearity_of<Fn>() == Linearity::nonlinear;
  const T* x = kept ? r.saved[0].template as<T>() : dy;
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch(
      {2 * flops_of<Fn>() * n, 3 * n * std::int64_t{sizeof(T)}},
      [&](const auto& exec) { kernel::unary_backward(exec, fn, x, dy, dx.data, n, dx.accumulate); });
}

/// dX (+)= dZ d fn / d X,  dY (+)= the sum over the rows of dZ d fn / d Y;  extents rows, columns. A sum
/// keeps no operands: its derivatives do not look at them.
template <class Fn, class T, class Mesh>
void binary_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::binary_bwd");
  const std::int64_t rows = r.extent[0], columns = r.extent[1], n = rows * columns;
  const Fn fn = saved_functor<Fn>(r);
  const T* dz = tape.template gradient_of<T>(r.out);
  const bool kept = linearity_of<Fn>() != Linearity::sum;
  const T* x = kept ? r.saved[0].template as<T>() : dz;
  const T* y = kept ? r.saved[1].template as<T>() : dz;
  const Work work{2 * flops_of<Fn>() * n, 3 * n * std::int64_t{sizeof(T)}};
  if (const Sink<T> dx = tape.template sink<T>(r.in[0])) {
    tape.mesh().context().launch(work, [&](const auto& exec) {
      kernel::binary_dx(exec, fn, x, y, dz, dx.data, rows, columns, dx.accumulate);
    });
  }
  if (const Sink<T> dy = tape.template sink<T>(r.in[1])) {
    tape.mesh().context().launch(work, [&](const auto& exec) {
      kernel::binary_dy(exec, fn, x, y, dz, dy.data, rows, columns, dy.accumulate);
    });
  }
}

}  // namespace detail

/// A function of each element, given with its derivative: a user's own.
///
///   y[i...] = fn.value(x[i...])      dx = dy fn.derivative(x)
///
///   x, y  [b@dp,s,h@tp]
///
/// The functor's members are marked KOKKOS_FUNCTION and take float or double; `linearity`, where it has one, is
/// Linearity::product for a linear function, which takes Partial too.
///
/// @pre    fn is trivially copyable, of at most 48 bytes; x is not Partial unless fn is linear
/// @comm   none, forward or backward
template <class Fn, Tensor X>
auto elementwise(const Fn& fn, const X& x) {
  static_assert(detail::fits_a_record<Fn>,
                "tpx::elementwise: a functor is trivially copyable and has at most 48 bytes of state");
  using T = typename X::element_type;
  using Op = ops::elementwise<Fn, X::ndim>;
  constexpr bool functor = requires(const Fn& f, T a) {
    f.value(a);
    f.derivative(a);
  };
  detail::a_functor_comes_first<functor, detail::op<Fn>>();
  if constexpr (!functor) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X>()) {
    return refused{};
  } else {
    const detail::Region region("tpx::unary");
    const std::int64_t n = x.local_count();
    auto y = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x);
    const T* in = x.data();
    x.mesh().context().launch({detail::flops_of<Fn>() * n, 2 * n * std::int64_t{sizeof(T)}},
                              [&](const auto& exec) { kernel::unary(exec, fn, in, y.data(), n); });
    return detail::record(
        std::move(y), &detail::unary_backward<Fn, T, typename X::mesh_type>,
        [&](auto& r) {
          if (detail::linearity_of<Fn>() == Linearity::nonlinear) r.saved[0] = x.shard();
          r.extent[0] = n;
          detail::save_functor(r, fn);
        },
        x);
  }
}

/// A function of the elements of two tensors; the dims of y are the last ones of x.
///
///   z[i..., j...] = fn.value(x[i..., j...], y[j...])      dx = dz fn.dx(x, y),  dy = sum over i... of dz
///   fn.dy(x, y)
///
///   x, z  [b@dp,s,h@tp]     y  [b@dp,s,h@tp]
///   x, z  [b@dp,s,h@tp]     y  [h@tp]{R:dp}        dy is P on dp
///
/// @pre    fn as above; y's extents are x's last ones; with linearity product one operand may be Partial beside
///         Replicate, with sum both, else none
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the extents differ
template <class Fn, Tensor X, Tensor Y>
auto elementwise(const Fn& fn, const X& x, const Y& y) {
  static_assert(Y::ndim <= X::ndim,
                "tpx::elementwise: the second operand has at most as many dims as the first");
  static_assert(detail::fits_a_record<Fn>,
                "tpx::elementwise: a functor is trivially copyable and has at most 48 bytes of state");
  using T = typename X::element_type;
  using Op = ops::elementwise_of_two<Fn, X::ndim, Y::ndim>;
  constexpr bool functor = requires(const Fn& f, T a) {
    f.value(a, a);
    f.dx(a, a);
    f.dy(a, a);
  };
  detail::a_functor_comes_first<functor, detail::op<Fn>>();
  if constexpr (!functor) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Y>()) {
    return refused{};
  } else {
    const detail::Region region("tpx::binary");
    for (int d = 0; d < Y::ndim; ++d)
      TPX_EXPECTS(x.extent(X::ndim - Y::ndim + d) == y.extent(d), x.describe(), y.describe());
    const std::int64_t columns = y.local_count();
    const std::int64_t rows = x.local_shape().count(0, X::ndim - Y::ndim);
    auto z = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x, y);
    const T* a = x.data();
    const T* b = y.data();
    x.mesh().context().launch(
        {detail::flops_of<Fn>() * rows * columns, 3 * rows * columns * std::int64_t{sizeof(T)}},
        [&](const auto& exec) { kernel::binary(exec, fn, a, b, z.data(), rows, columns); });
    return detail::record(
        std::move(z), &detail::binary_backward<Fn, T, typename X::mesh_type>,
        [&](auto& r) {
          if (detail::linearity_of<Fn>() != Linearity::sum) {
            r.saved[0] = x.shard();
            r.saved[1] = y.shard();
          }
          r.extent[0] = rows;
          r.extent[1] = columns;
          detail::save_functor(r, fn);
        },
        x, y);
  }
}

template <class Fn>
refused elementwise(const Fn&, refused) {
  return {};
}
template <class Fn, class Y>
refused elementwise(const Fn&, refused, const Y&) {
  return {};
}
template <class Fn, Tensor X>
refused elementwise(const Fn&, const X&, refused) {
  return {};
}
template <class Fn, class... Xs>
requires(sizeof...(Xs) > 0 && !(Tensor<Xs> && ...) && !(detail::is_refused<Xs> || ...)) refused
    elementwise(const Fn&, const Xs&...) {
  detail::a_functor_comes_first<!Tensor<Fn>, detail::op<Fn>>();
  detail::an_op_takes_tensors<Tensor<Fn>, detail::operands<Xs...>>();
  return {};
}

}  // namespace tpx
