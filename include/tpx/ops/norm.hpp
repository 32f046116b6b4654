// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/kernel/sum_squares.hpp>
#include <tpx/ops/reduce.hpp>
#include <tpx/tensor/collective.hpp>

namespace tpx {

namespace ops {

/// The root is of the whole sum, so the dims are needed whole.
template <int N, int... Dims>
struct norm {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = [] {
    OpRule r = detail::reduction_rule<Dims...>(N, Linearity::nonlinear);
    for (int d = 0; d < N; ++d)
      if (detail::is_summed<Dims...>(d)) r.whole |= 1ull << d;
    return r;
  }();
};

}  // namespace ops

namespace detail {

/// dX (+)= dY X / Y, and 0 where Y is;  shape that of the shard of x, saved x, y.
template <class T, class Mesh, int... Dims>
void norm_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::norm_bwd");
  const kernel::StrideMap map = repeated<Dims...>(r.shape);
  const T* x = r.saved[0].template as<T>();
  const T* y = r.saved[1].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch(
      {3 * map.size(), 3 * map.size() * std::int64_t{sizeof(T)}},
      [&](const auto& exec) { kernel::norm_gradient(exec, x, y, dy, map, dx.data, dx.accumulate); });
}

template <class Over, int... Dims, class X>
auto norm(const X& x) {
  using Op = ops::norm<X::ndim, Dims...>;
  if constexpr (!admits<Op, Over, X>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    using Mesh = typename X::mesh_type;
    constexpr unsigned axes = mask_of<Over, typename Mesh::axes>;
    const Region region("tpx::norm");
    const Mesh& mesh = x.mesh();
    const Shape local = x.local_shape();
    const ReducedWalks walks = reduced_walks<Dims...>(x.shape(), local);
    auto y = make_result<Op, T, Op::rule.result_ndim, Over>(walks.global, x);
    const std::int64_t n = y.local_count();
    const T* in = x.data();
    const Buffer squares = allocate<double>(mesh, n);
    double* const sums = squares.as<double>();
    mesh.context().launch({2 * local.count(), local.count() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::sum_squares_strided(exec, in, walks.kept, walks.summed, sums);
    });
    if constexpr (axes != 0) all_reduce(mesh, axes, static_cast<const double*>(sums), sums, n);
    mesh.context().launch({n, n * std::int64_t{sizeof(double) + sizeof(T)}}, [&](const auto& exec) {
      kernel::square_root(exec, static_cast<const double*>(sums), y.data(), n);
    });
    const Buffer kept = y.shard();
    return record(
        std::move(y), &norm_backward<T, Mesh, Dims...>,
        [&](auto& r) {
          r.saved[0] = x.shard();
          r.saved[1] = kept;
          r.shape = local;
        },
        x);
  }
}

}  // namespace detail

/// The Euclidean norm along dims; the others are left, in their order. `norm(x)` is that of all elements.
///
///   y[i...] = sqrt(sum over j... of x[i..., j...]^2)      norm<dims of j...>(x)
///
///   x  [b@dp,s,h]       y  [b@dp,s]      norm<2>(x)
///   x  [b@dp,s,h@tp]    y  [b@dp,s]      norm<over<tp>, 2>(x)       I on tp
///
/// The gradient is x / y, and 0 where y is.
///
/// @pre    x is not Partial; the dims are different ones of x, and whole or split by the axes of `over`
/// @post   rounded once, after the root: the squares are added in double
/// @comm   with `over`, over its axes together: forward an all_reduce (sum) of as many f64 as the local result
///         has elements; else none.  backward: none
template <class Over, int... Dims, Tensor X>
auto norm(const X& x) {
  constexpr bool dims = detail::are_dims<Dims...>(X::ndim);
  static_assert(dims, "tpx::norm: the dims are different ones of the operand, counted from 0");
  if constexpr (dims) {
    return detail::norm<Over, Dims...>(x);
  } else {
    return refused{};
  }
}
template <int... Dims, Tensor X>
auto norm(const X& x) {
  return norm<over<>, Dims...>(x);
}

template <int Dim, class Over, Tensor X>
refused norm(const X&) {
  detail::over_comes_first<std::is_void_v<X>>();
  return {};
}

template <class Over, int... Dims>
refused norm(refused) {
  return {};
}
template <int... Dims>
refused norm(refused) {
  return {};
}

}  // namespace tpx
