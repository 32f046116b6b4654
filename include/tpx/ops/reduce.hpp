// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <utility>

#include <tpx/kernel/difference.hpp>
#include <tpx/kernel/strided.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace detail {

/// Whether dim d of an operand with n dims is summed over; no dims at all means all of them.
template <int... Dims>
constexpr bool is_summed(int d) {
  return sizeof...(Dims) == 0 || (false || ... || (Dims == d));
}
/// Whether the dims are different ones of a tensor that has n.
template <int... Dims>
constexpr bool are_dims(int n) {
  int seen = 0, count = 0;
  for (int d = 0; d < n; ++d) seen += (0 + ... + (Dims == d ? 1 : 0)) == 1;
  count = static_cast<int>(sizeof...(Dims));
  return seen == count;
}

/// The rule of an op on x whose result lacks the dims that it reduces.
template <int... Dims>
constexpr OpRule reduction_rule(int n, Linearity linearity) {
  OpRule r;
  r.linearity = linearity;
  r.operands = 1;
  r.ndim[0] = n;
  for (int d = 0; d < n; ++d) {
    r.factor[0][d] = static_cast<signed char>(d);
    if (!is_summed<Dims...>(d)) r.result[r.result_ndim++] = static_cast<signed char>(d);
  }
  return r;
}

/// The result's global extents, and the walks of a shard of x along the dims that are kept and those that are
/// not.
struct ReducedWalks {
  Shape global;
  kernel::StrideMap kept, summed;
};
template <int... Dims>
ReducedWalks reduced_walks(const Shape& global, const Shape& local) {
  ReducedWalks walks;
  for (int d = 0; d < local.ndim(); ++d) {
    if (!is_summed<Dims...>(d)) walks.global.push_back(global[d]);
    (is_summed<Dims...>(d) ? walks.summed : walks.kept).push_back(local[d], local.count(d + 1, local.ndim()));
  }
  return walks;
}

/// The product of the extents of the dims that are reduced.
template <int... Dims>
std::int64_t reduced_count(const Shape& shape) {
  std::int64_t n = 1;
  for (int d = 0; d < shape.ndim(); ++d) n *= is_summed<Dims...>(d) ? shape[d] : 1;
  return n;
}

}  // namespace detail

namespace ops {

/// A factor that no dim of the result has is summed over; a rank that has a part of it has a term.
template <int N, int... Dims>
struct sum {
  static constexpr OpRule rule = detail::reduction_rule<Dims...>(N, Linearity::product);
};

template <int N, int... Dims>
struct mean : sum<N, Dims...> {
  static constexpr bool computes_fractions = true;
};

template <int N>
struct mean_squared_error {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = op_rule("..., ... ->", Linearity::nonlinear, {N, N});
};

}  // namespace ops

namespace detail {

/// The walk of x through its gradient's source: stride 0 along the summed dims.
template <int... Dims>
kernel::StrideMap repeated(const Shape& x) {
  std::int64_t step = 1, steps[Spec::max_dims]{};
  for (int d = x.ndim() - 1; d >= 0; --d) {
    steps[d] = is_summed<Dims...>(d) ? 0 : step;
    if (!is_summed<Dims...>(d)) step *= x[d];
  }
  kernel::StrideMap map;
  for (int d = 0; d < x.ndim(); ++d) map.push_back(x[d], steps[d]);
  return map;
}

/// dX[i..., j...] (+)= factor dY[i...];  shape that of the shard of x.
template <class T, class Mesh, int... Dims>
void sum_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::sum_bwd");
  const kernel::StrideMap map = repeated<Dims...>(r.shape);
  const T factor = static_cast<T>(r.scalar[0]);
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch({map.size(), 2 * map.size() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::spread_strided(exec, dy, map, factor, dx.data, dx.accumulate);
  });
}

/// factor times the sum over Dims.
template <int... Dims, class X>
auto scaled_sum(const X& x, double factor) {
  using Op = ops::sum<X::ndim, Dims...>;
  using T = typename X::element_type;
  const Region region("tpx::sum");
  const Shape local = x.local_shape();
  const ReducedWalks walks = reduced_walks<Dims...>(x.shape(), local);
  auto y = make_result<Op, T, Op::rule.result_ndim, over<>>(walks.global, x);
  const T* in = x.data();
  x.mesh().context().launch({local.count(), local.count() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::sum_strided(exec, in, walks.kept, walks.summed, static_cast<T>(factor), y.data());
  });
  return record(
      std::move(y), &sum_backward<T, typename X::mesh_type, Dims...>,
      [&](auto& r) {
        r.shape = local;
        r.scalar[0] = factor;
      },
      x);
}

/// dX (+)= 2/n dloss (X - Y),  dY the same negative;  extent: local elements, scalar 1/n.
template <class T, class Mesh>
void mean_squared_error_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::mse_bwd");
  const std::int64_t n = r.extent[0];
  const T* x = r.saved[0].template as<T>();
  const T* y = r.saved[1].template as<T>();
  const T* dloss = tape.template gradient_of<T>(r.out);
  for (int i = 0; i < 2; ++i) {
    if (const Sink<T> to = tape.template sink<T>(r.in[i])) {
      const double factor = (i == 0 ? 2.0 : -2.0) * r.scalar[0];
      tape.mesh().context().launch({3 * n, 3 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::difference_gradient(exec, x, y, dloss, factor, to.data, n, to.accumulate);
      });
    }
  }
}

}  // namespace detail

/// Sums over dims; the others are left, in their order. `sum(x)` sums over all of them.
///
///   y[i...] = sum over j... of x[i..., j...]      sum<dims of j...>(x)
///
///   x  [b@dp,s,h]            sum<1>     y  [b@dp,h]
///   x  [b@dp,s,h]            sum<0>     y  [s,h]{P:dp}     the ranks hold terms
///   x  [b,s,h]{P:tp}         sum<2>     y  [b,s]{P:tp}
///
/// @pre    the dims are different ones of x
/// @post   deterministic: the local elements are added in one order; integers wrap around
/// @comm   none, forward or backward: the redistribute of a Partial result pays
template <int... Dims, Tensor X>
auto sum(const X& x) {
  constexpr bool dims = detail::are_dims<Dims...>(X::ndim);
  static_assert(dims, "tpx::sum: the dims are different ones of the operand, counted from 0");
  if constexpr (!dims) {
    return refused{};
  } else if constexpr (!detail::admits<ops::sum<X::ndim, Dims...>, over<>, X>()) {
    return refused{};
  } else {
    return detail::scaled_sum<Dims...>(x, 1);
  }
}

/// The mean over dims: the local sum over the *global* number of elements, so that split means are terms.
///
///   y[i...] = 1/n sum over j... of x[i..., j...],   n the product of the extents of j...
///
///   x  [b@dp,s,h]            mean<1>    y  [b@dp,h]
///   x  [b@dp,s,h]            mean       y  []{P:dp}
///
/// @pre    the dims are different ones of x, and not empty
/// @comm   none, forward or backward: the redistribute of a Partial result pays
/// @throws tpx::Error where there is nothing to take the mean of
template <int... Dims, Tensor X>
auto mean(const X& x) {
  constexpr bool dims = detail::are_dims<Dims...>(X::ndim);
  static_assert(dims, "tpx::mean: the dims are different ones of the operand, counted from 0");
  if constexpr (!dims) {
    return refused{};
  } else if constexpr (!detail::admits<ops::mean<X::ndim, Dims...>, over<>, X>()) {
    return refused{};
  } else {
    const std::int64_t n = detail::reduced_count<Dims...>(x.shape());
    TPX_EXPECTS(n >= 1, x.describe(), "the mean of no elements is no number");
    return detail::scaled_sum<Dims...>(x, 1.0 / static_cast<double>(n));
  }
}

/// The mean of the squares of the differences of two tensors of one shape.
///
///   loss = 1/n sum over i... of (x[i...] - y[i...])^2,   n the global number of elements
///
///   x  [b@dp,h]      y  [b@dp,h]      loss  []{P:dp}
///
/// @pre    neither is Partial: (a + b)^2 is not a^2 + b^2
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the extents differ
template <Tensor X, Tensor Y>
auto mean_squared_error(const X& x, const Y& y) {
  constexpr bool dims = X::ndim == Y::ndim;
  static_assert(dims, "tpx::mean_squared_error: the operands have the same number of dims");
  using Op = ops::mean_squared_error<X::ndim>;
  if constexpr (!dims) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Y>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::mse");
    TPX_EXPECTS(x.shape() == y.shape(), x.describe(), y.describe());
    TPX_EXPECTS(x.shape().count() >= 1, x.describe(), "the mean of no elements is no number");
    const std::int64_t n = x.local_count();
    const double factor = 1.0 / static_cast<double>(x.shape().count());
    auto loss = detail::make_result<Op, T, 0, over<>>(Shape{}, x, y);
    const T* a = x.data();
    const T* b = y.data();
    x.mesh().context().launch({3 * n, 2 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::sum_squared_difference(exec, a, b, n, factor, loss.data());
    });
    return detail::record(
        std::move(loss), &detail::mean_squared_error_backward<T, typename X::mesh_type>,
        [&](auto& r) {
          r.saved[0] = x.shard();
          r.saved[1] = y.shard();
          r.extent[0] = n;
          r.scalar[0] = factor;
        },
        x, y);
  }
}

template <int... Dims>
refused sum(refused) {
  return {};
}
template <int... Dims>
refused mean(refused) {
  return {};
}
template <class Y>
refused mean_squared_error(refused, const Y&) {
  return {};
}
template <Tensor X>
refused mean_squared_error(const X&, refused) {
  return {};
}

}  // namespace tpx
