// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <tpx/kernel/elementwise_many.hpp>
#include <tpx/ops/elementwise.hpp>

namespace tpx {

namespace ops {

template <class Fn, int... Dims>
struct elementwise_of_many {
  static constexpr OpRule rule = detail::trailing_rule(detail::linearity_of<Fn>(), {Dims...});
};

}  // namespace ops

namespace detail {

template <bool fits, class... Facts>
constexpr void a_function_is_of_eight_tensors() {
  static_assert(fits,
                "tpx::elementwise: a function is of at most eight tensors: compute what it needs of the others "
                "first, in a function of its own (see op)");
}

/// dX_I (+)= dY d fn / d X_I for each operand;  shape: the operands' local counts.
template <class Fn, int N, class T, class Mesh>
void elementwise_many_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::many_bwd");
  const Fn fn = saved_functor<Fn>(r);
  kernel::Operands<T, N> x{};
  for (int k = 0; k < N; ++k) {
    x.data[k] = r.saved[k].template as<T>();
    x.count[k] = r.shape[k];
  }
  const T* dy = tape.template gradient_of<T>(r.out);
  const auto gradient = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
    if (const Sink<T> dx = tape.template sink<T>(r.in[I])) {
      tape.mesh().context().launch(
          {2 * flops_of<Fn>() * x.count[0], (N + 2) * x.count[0] * std::int64_t{sizeof(T)}},
          [&](const auto& exec) {
            kernel::elementwise_many_gradient<static_cast<int>(I)>(exec, fn, x, dy, dx.data, dx.accumulate);
          });
    }
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (gradient(std::integral_constant<std::size_t, I>()), ...);
  }
  (std::make_index_sequence<static_cast<std::size_t>(N)>{});
}

}  // namespace detail

/// A function of the elements of three to eight tensors; the dims of the others are the last ones of x.
///
///   v[i..., j...] = fn.value(x[i..., j...], y[j...], z[j...])      dx = dv fn.derivative<0>(x, y, z),
///   dy = sum over i... of dv fn.derivative<1>(x, y, z), and so on
///
///   x, v  [b@dp,s,h@tp]     y  [s,h@tp]{R:dp}     z  [h@tp]{R:dp}        dy and dz are P on dp
///
/// @pre    fn as for one and two operands; the others' extents are x's last ones; with linearity product one
///         operand may be Partial beside Replicate, with sum all, else none
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the extents differ
template <class Fn, Tensor X, Tensor Y, Tensor Z, Tensor... More>
auto elementwise(const Fn& fn, const X& x, const Y& y, const Z& z, const More&... more) {
  constexpr bool few = 3 + sizeof...(More) <= OpRule::max_operands;
  detail::a_function_is_of_eight_tensors<few, detail::op<Fn>>();
  constexpr bool trailing = Y::ndim <= X::ndim && Z::ndim <= X::ndim && ((More::ndim <= X::ndim) && ...);
  static_assert(trailing, "tpx::elementwise: the other operands have at most as many dims as the first");
  static_assert(detail::fits_a_record<Fn>,
                "tpx::elementwise: a functor is trivially copyable and has at most 48 bytes of state");
  using T = typename X::element_type;
  using Op = ops::elementwise_of_many<Fn, X::ndim, Y::ndim, Z::ndim, More::ndim...>;
  constexpr bool functor = requires(const Fn& f, T a, typename More::element_type... more_values) {
    f.value(a, a, a, more_values...);
    f.template derivative<0>(a, a, a, more_values...);
  };
  detail::a_functor_comes_first<functor, detail::op<Fn>>();
  if constexpr (!few || !functor) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Y, Z, More...>()) {
    return refused{};
  } else {
    constexpr int n = 3 + static_cast<int>(sizeof...(More));
    const detail::Region region("tpx::elementwise");
    const auto check = [&](const auto& other) {
      constexpr int dims = std::decay_t<decltype(other)>::ndim;
      for (int d = 0; d < dims; ++d)
        TPX_EXPECTS(x.extent(X::ndim - dims + d) == other.extent(d), x.describe(), other.describe());
    };
    (check(y), check(z), (check(more), ...));
    auto v = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x, y, z, more...);
    const kernel::Operands<T, n> operands{
        {x.data(), y.data(), z.data(), more.data()...},
        {x.local_count(), y.local_count(), z.local_count(), more.local_count()...}};
    x.mesh().context().launch(
        {detail::flops_of<Fn>() * operands.count[0], (n + 1) * operands.count[0] * std::int64_t{sizeof(T)}},
        [&](const auto& exec) { kernel::elementwise_many(exec, fn, operands, v.data()); });
    return detail::record(
        std::move(v), &detail::elementwise_many_backward<Fn, n, T, typename X::mesh_type>,
        [&](auto& r) {
          std::size_t i = 0;
          ((r.saved[i++] = x.shard()), (r.saved[i++] = y.shard()), (r.saved[i++] = z.shard()),
           ((r.saved[i++] = more.shard()), ...));
          for (int k = 0; k < n; ++k) r.shape.push_back(operands.count[k]);
          detail::save_functor(r, fn);
        },
        x, y, z, more...);
  }
}

template <class Fn, class X, class Y, class Z, class... More>
requires(detail::is_refused<X> || detail::is_refused<Y> || detail::is_refused<Z> ||
         (detail::is_refused<More> || ...)) refused
    elementwise(const Fn&, const X& x, const Y& y, const Z& z, const More&... more) {
  return detail::refused_again(x, y, z, more...);
}

}  // namespace tpx
