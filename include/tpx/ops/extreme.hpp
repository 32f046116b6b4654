// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/extreme.hpp>
#include <tpx/ops/reduce.hpp>

namespace tpx {

namespace ops {

template <int N, Reduction reduction, int... Dims>
struct extreme {
  static constexpr OpRule rule = [] {
    OpRule r = detail::reduction_rule<Dims...>(N, Linearity::nonlinear);
    r.reduction = reduction;
    return r;
  }();
};
template <int N, int... Dims>
struct max : extreme<N, Reduction::max, Dims...> {};
template <int N, int... Dims>
struct min : extreme<N, Reduction::min, Dims...> {};

}  // namespace ops

namespace detail {

/// dX += dY at the element that was taken;  shape that of the shard of x, saved the places.
template <class T, class Mesh, int... Dims>
void extreme_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::extreme_bwd");
  const ReducedWalks walks = reduced_walks<Dims...>(r.shape, r.shape);
  const auto* place = static_cast<const std::int64_t*>(r.saved[0].template as<std::int64_t>());
  const std::int64_t n = r.shape.count();
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch({walks.kept.size(), n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    if (!dx.accumulate) kernel::fill(exec, dx.data, n, T(0));
    kernel::extreme_gradient(exec, dy, place, walks.kept, walks.summed, dx.data);
  });
}

template <class Op, bool Largest, int... Dims, class X>
auto extreme(const X& x) {
  if constexpr (!admits<Op, over<>, X>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const Region region(Largest ? "tpx::max" : "tpx::min");
    TPX_EXPECTS(reduced_count<Dims...>(x.shape()) >= 1, x.describe(),
                "no elements have no largest or smallest one");
    const Shape local = x.local_shape();
    const ReducedWalks walks = reduced_walks<Dims...>(x.shape(), local);
    auto y = make_result<Op, T, Op::rule.result_ndim, over<>>(walks.global, x);
    const Buffer places = recorded<X> ? allocate<std::int64_t>(x.mesh(), y.local_count()) : Buffer();
    const T* in = x.data();
    x.mesh().context().launch({local.count(), local.count() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::extreme_strided<Largest>(exec, in, walks.kept, walks.summed, y.data(), places.as<std::int64_t>());
    });
    if constexpr (X::carries_gradient) {
      return record(
          std::move(y), &extreme_backward<T, typename X::mesh_type, Dims...>,
          [&](auto& r) {
            r.saved[0] = places;
            r.shape = local;
          },
          x);
    } else {
      return y;
    }
  }
}

}  // namespace detail

/// The largest element along dims; the others are left, in their order. `max(x)` is that of all of them.
///
///   y[i...] = max over j... of x[i..., j...]      max<dims of j...>(x)
///
///   x  [b@dp,s,h]            max<1>     y  [b@dp,h]
///   x  [b@dp,s,h]            max<0>     y  [s,h]{P(max):dp}     each rank the largest of its own
///
/// Along whole dims the gradient goes to the element that was taken, of equal ones all of it to the first in
/// row-major order: they do not share it. Across ranks there is none: a result that is Partial goes into
/// nothing but a redistribute, and that only where x is on no tape: max<0>(detach(x)).
///
/// @pre    the dims are different ones of x, and not empty; x is not Partial
/// @post   a NaN among the elements is the result, on whichever rank it is
/// @comm   none, forward or backward: the redistribute of a Partial result pays
/// @throws tpx::Error where there are no elements
template <int... Dims, Tensor X>
auto max(const X& x) {
  static_assert(detail::are_dims<Dims...>(X::ndim),
                "tpx::max: the dims are different ones of the operand, counted from 0");
  return detail::extreme<ops::max<X::ndim, Dims...>, true, Dims...>(x);
}

/// The smallest element along dims, as max takes the largest.
///
///   y[i...] = min over j... of x[i..., j...]      min<dims of j...>(x)
///
/// @pre, @post, @comm, @throws as for max
template <int... Dims, Tensor X>
auto min(const X& x) {
  static_assert(detail::are_dims<Dims...>(X::ndim),
                "tpx::min: the dims are different ones of the operand, counted from 0");
  return detail::extreme<ops::min<X::ndim, Dims...>, false, Dims...>(x);
}

template <int... Dims>
refused max(refused) {
  return {};
}
template <int... Dims>
refused min(refused) {
  return {};
}

}  // namespace tpx
