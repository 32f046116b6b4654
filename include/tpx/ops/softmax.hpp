// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/kernel/softmax.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/tensor/collective.hpp>

namespace tpx {

namespace detail {

/// One operand with n dims, one of which is needed whole, and is kept or not.
constexpr OpRule one_whole_dim(int n, int dim, bool kept) {
  OpRule r;
  r.linearity = Linearity::nonlinear;
  r.operands = 1;
  r.ndim[0] = n;
  r.whole = 1ull << dim;
  for (int d = 0; d < n; ++d) {
    r.factor[0][d] = static_cast<signed char>(d);
    if (kept || d != dim) r.result[r.result_ndim++] = static_cast<signed char>(d);
  }
  return r;
}

}  // namespace detail

namespace ops {

template <int N, int Dim>
struct softmax {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = detail::one_whole_dim(N, Dim, true);
};
template <int N, int Dim>
struct log_sum_exp {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = detail::one_whole_dim(N, Dim, false);
};

}  // namespace ops

namespace detail {

template <int Dim>
kernel::Lines lines_along(const Shape& local) {
  return {local.count(0, Dim), local[Dim], local.count(Dim + 1, local.ndim())};
}

/// The largest element of each line and the sum of the exponentials, over all ranks of `axes`.
/// @comm   over the axes together, an all_reduce (max) and one (sum) of the local lines
template <unsigned Axes, class T, class Mesh>
void reduce_lines(const Mesh& mesh, const T* x, const kernel::Lines& lines, T* largest, T* sum) {
  const std::int64_t n = lines.count() * lines.n;
  mesh.context().launch({n, n * std::int64_t{sizeof(T)}},
                        [&](const auto& exec) { kernel::line_max(exec, x, lines, largest); });
  if constexpr (Axes != 0) all_reduce(mesh, Axes, largest, largest, lines.count(), comm::Reduction::max);
  const T* most = largest;
  mesh.context().launch({3 * n, n * std::int64_t{sizeof(T)}},
                        [&](const auto& exec) { kernel::line_sum_exp(exec, x, lines, most, sum); });
  if constexpr (Axes != 0) all_reduce(mesh, Axes, sum, sum, lines.count());
}

/// dX (+)= Y (dY - sum of Y dY);  extents outer, n, inner; saved y.
template <unsigned Axes, class T, class Mesh>
void softmax_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::softmax_bwd");
  const kernel::Lines lines{r.extent[0], r.extent[1], r.extent[2]};
  const std::int64_t n = lines.count() * lines.n;
  const Mesh& mesh = tape.mesh();
  const T* y = r.saved[0].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  Buffer dots = allocate<T>(mesh, lines.count());
  T* const dot = dots.template as<T>();
  mesh.context().launch({2 * n, 2 * n * std::int64_t{sizeof(T)}},
                        [&](const auto& exec) { kernel::line_dot(exec, y, dy, lines, dot); });
  if constexpr (Axes != 0) all_reduce(mesh, Axes, dot, dot, lines.count());
  const T* all = dot;
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  mesh.context().launch({2 * n, 3 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::softmax_gradient(exec, y, dy, lines, all, dx.data, dx.accumulate);
  });
}

/// dX (+)= exp(X - Y) dY;  extents outer, n, inner; saved x, y.
template <class T, class Mesh>
void log_sum_exp_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::lse_bwd");
  const kernel::Lines lines{r.extent[0], r.extent[1], r.extent[2]};
  const std::int64_t n = lines.count() * lines.n;
  const T* x = r.saved[0].template as<T>();
  const T* y = r.saved[1].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch({3 * n, 2 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::log_sum_exp_gradient(exec, x, y, dy, lines, dx.data, dx.accumulate);
  });
}

template <class Mesh>
void save_lines(Record<Mesh>& r, const kernel::Lines& lines) {
  r.extent[0] = lines.outer;
  r.extent[1] = lines.n;
  r.extent[2] = lines.inner;
}

}  // namespace detail

/// Exponentials that add up to 1 along a dim.
///
///   y[i..., c] = exp(x[i..., c]) / sum over d of exp(x[i..., d])        c any of the dims
///
///   x, y  [b@dp,s,v]       softmax<2>(x)
///   x, y  [b@dp,s,v@tp]    softmax<over<tp>, 2>(x)
///
/// @pre    x is not Partial; the dim is whole, or split by the axes of `over`
/// @post   along a line of nothing but -infinity, as a mask may leave it, y is 0; along one with +infinity, NaN
/// @comm   with `over`, over its axes together: forward an all_reduce (max) and one (sum) of the local lines,
///         backward one (sum) of the local lines; else none
template <class Over, int Dim, Tensor X>
auto softmax(const X& x) {
  constexpr bool has_dim = 0 <= Dim && Dim < X::ndim;
  static_assert(has_dim,
                "tpx::softmax: the dim is one of the operand's, 0 to ndim - 1, and not counted from the end");
  using Op = ops::softmax<X::ndim, Dim>;
  if constexpr (!has_dim) {
    return refused{};
  } else if constexpr (!detail::admits<Op, Over, X>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    using Mesh = typename X::mesh_type;
    const detail::Region region("tpx::softmax");
    constexpr unsigned axes = detail::mask_of<Over, typename Mesh::axes>;
    const Mesh& mesh = x.mesh();
    const kernel::Lines lines = detail::lines_along<Dim>(x.local_shape());
    const std::int64_t n = lines.count() * lines.n;
    auto y = detail::make_result<Op, T, X::ndim, Over>(x.shape(), x);
    const Buffer largest = detail::allocate<T>(mesh, lines.count());
    const Buffer sums = detail::allocate<T>(mesh, lines.count());
    const T *in = x.data(), *most = largest.as<T>(), *sum = sums.as<T>();
    detail::reduce_lines<axes>(mesh, in, lines, largest.as<T>(), sums.as<T>());
    mesh.context().launch({3 * n, 2 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::softmax_finish(exec, in, lines, most, sum, y.data());
    });
    Buffer kept = y.shard();
    return detail::record(
        std::move(y), &detail::softmax_backward<axes, T, Mesh>,
        [&](auto& r) {
          r.saved[0] = kept;
          detail::save_lines(r, lines);
        },
        x);
  }
}

/// The logarithm of the sum of the exponentials along a dim, which the result lacks.
///
///   y[i...] = log(sum over c of exp(x[i..., c]))
///
///   x  [b@dp,s,v]       y  [b@dp,s]      log_sum_exp<2>(x)
///   x  [b@dp,s,v@tp]    y  [b@dp,s]      log_sum_exp<over<tp>, 2>(x)       I on tp
///
/// @pre    x is not Partial; the dim is whole, or split by the axes of `over`
/// @post   of nothing but -infinity it is -infinity, and the gradient is 0; with +infinity it is +infinity, and
///         the gradient NaN there and 0 elsewhere
/// @comm   with `over`, over its axes together: forward an all_reduce (max) and one (sum) of the local lines;
///         else none.  backward: none
template <class Over, int Dim, Tensor X>
auto log_sum_exp(const X& x) {
  constexpr bool has_dim = 0 <= Dim && Dim < X::ndim;
  static_assert(
      has_dim,
      "tpx::log_sum_exp: the dim is one of the operand's, 0 to ndim - 1, and not counted from the end");
  using Op = ops::log_sum_exp<X::ndim, Dim>;
  if constexpr (!has_dim) {
    return refused{};
  } else if constexpr (!detail::admits<Op, Over, X>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    using Mesh = typename X::mesh_type;
    const detail::Region region("tpx::log_sum_exp");
    constexpr unsigned axes = detail::mask_of<Over, typename Mesh::axes>;
    const Mesh& mesh = x.mesh();
    const kernel::Lines lines = detail::lines_along<Dim>(x.local_shape());
    Shape global;
    for (int d = 0; d < X::ndim; ++d)
      if (d != Dim) global.push_back(x.extent(d));
    auto y = detail::make_result<Op, T, X::ndim - 1, Over>(global, x);
    const Buffer largest = detail::allocate<T>(mesh, lines.count());
    const Buffer sums = detail::allocate<T>(mesh, lines.count());
    const T *in = x.data(), *most = largest.as<T>(), *sum = sums.as<T>();
    detail::reduce_lines<axes>(mesh, in, lines, largest.as<T>(), sums.as<T>());
    mesh.context().launch(
        {2 * lines.count(), 3 * lines.count() * std::int64_t{sizeof(T)}},
        [&](const auto& exec) { kernel::log_sum_exp_finish(exec, most, sum, lines.count(), y.data()); });
    Buffer kept = y.shard();
    return detail::record(
        std::move(y), &detail::log_sum_exp_backward<T, Mesh>,
        [&](auto& r) {
          r.saved[0] = x.shard();
          r.saved[1] = kept;
          detail::save_lines(r, lines);
        },
        x);
  }
}

template <int Dim, Tensor X>
auto softmax(const X& x) {
  return softmax<over<>, Dim>(x);
}
template <int Dim, Tensor X>
auto log_sum_exp(const X& x) {
  return log_sum_exp<over<>, Dim>(x);
}

template <int Dim, class Over, Tensor X>
refused softmax(const X&) {
  detail::over_comes_first<std::is_void_v<X>>();
  return {};
}
template <int Dim, class Over, Tensor X>
refused log_sum_exp(const X&) {
  detail::over_comes_first<std::is_void_v<X>>();
  return {};
}

template <class Over, int Dim>
refused softmax(refused) {
  return {};
}
template <int Dim>
refused softmax(refused) {
  return {};
}
template <class Over, int Dim>
refused log_sum_exp(refused) {
  return {};
}
template <int Dim>
refused log_sum_exp(refused) {
  return {};
}

}  // namespace tpx
