// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include <tpx/kernel/mask.hpp>
#include <tpx/ops/elementwise.hpp>

namespace tpx {

namespace ops {

/// The mask's dims are the last ones of x and y.
template <int N, int MaskDims>
struct where {
  static constexpr OpRule rule = [] {
    OpRule r;
    r.linearity = Linearity::nonlinear;
    r.operands = 3;
    r.values = 0b1;
    r.ndim[0] = MaskDims;
    r.ndim[1] = r.ndim[2] = r.result_ndim = N;
    for (int d = 0; d < MaskDims; ++d) r.factor[0][d] = static_cast<signed char>(N - MaskDims + d);
    for (int d = 0; d < N; ++d) r.factor[1][d] = r.factor[2][d] = r.result[d] = static_cast<signed char>(d);
    return r;
  }();
};
template <int N, int MaskDims>
struct masked_fill {
  static constexpr OpRule rule = detail::trailing_rule(Linearity::nonlinear, {N, MaskDims}, 0b10);
};

}  // namespace ops

namespace detail {

/// dX (+)= dY where the mask chose it, 0 else;  extents rows, columns; saved the mask. Operand 0 of
/// masked_fill and 1, 2 of where are the ones with a gradient: `chosen` is the one taken where the mask is set.
template <int Chosen, int Other, class T, class M, class Mesh>
void select_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::select_bwd");
  const std::int64_t rows = r.extent[0], columns = r.extent[1];
  const M* mask = r.saved[0].template as<M>();
  const kernel::ArrayOr<T> dz{tape.template gradient_of<T>(r.out)}, zero{};
  const auto give = [&](int operand, const kernel::ArrayOr<T>& set, const kernel::ArrayOr<T>& clear) {
    if (const Sink<T> to = tape.template sink<T>(r.in[operand])) {
      tape.mesh().context().launch({0, 2 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::select(exec, mask, set, clear, to.data, rows, columns, to.accumulate);
      });
    }
  };
  if constexpr (Chosen >= 0) give(Chosen, dz, zero);
  give(Other, zero, dz);
}

/// Whether T, an integer, has this value. Its largest one may be no double, but half of the next one is.
template <class T>
constexpr bool holds(double value) {
  using Limits = std::numeric_limits<T>;
  if (!(static_cast<double>(Limits::min()) <= value && value / 2 < static_cast<double>(Limits::max() / 2 + 1)))
    return false;
  return static_cast<double>(static_cast<T>(value)) == value;
}

template <class Mask, class X>
void check_mask(const Mask& mask, const X& x) {
  for (int d = 0; d < Mask::ndim; ++d)
    TPX_EXPECTS(x.extent(X::ndim - Mask::ndim + d) == mask.extent(d), mask.describe(), x.describe());
}

template <class Mask, class X>
constexpr bool is_mask_of() {
  constexpr bool integers = std::is_integral_v<typename Mask::element_type>;
  constexpr bool dims = Mask::ndim <= X::ndim;
  static_assert(integers, "tpx: a mask has integers: where it is not 0 it is set, and it carries no gradient");
  static_assert(dims || !integers, "tpx: a mask has at most as many dims as what it masks, the last ones");
  return integers && dims;
}

}  // namespace detail

/// One of two tensors, element by element; the mask's dims are the last ones of theirs.
///
///   z[i..., j...] = x[i..., j...] where mask[j...] is not 0,   y[i..., j...] else
///
///   mask  u8 [s,t]    x, y, z  [b@dp,h@tp,s,t]
///
/// @pre    the mask has integers; x and y are of one shape and layout, not Partial
/// @comm   none, forward or backward
/// @throws tpx::Error naming the operands where the extents differ
template <Tensor Mask, Tensor X, Tensor Y>
auto where(const Mask& mask, const X& x, const Y& y) {
  constexpr bool mask_fits = detail::is_mask_of<Mask, X>();
  constexpr bool dims = X::ndim == Y::ndim;
  static_assert(dims || !mask_fits, "tpx::where: the two tensors have the same number of dims");
  using Op = ops::where<X::ndim, mask_fits ? Mask::ndim : 0>;
  if constexpr (!mask_fits || !dims) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, Mask, X, Y>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    using M = typename Mask::element_type;
    const detail::Region region("tpx::where");
    detail::check_mask(mask, x);
    TPX_EXPECTS(x.shape() == y.shape(), x.describe(), y.describe());
    const std::int64_t columns = mask.local_count();
    const std::int64_t rows = x.local_shape().count(0, X::ndim - Mask::ndim);
    auto z = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), mask, x, y);
    const M* set = mask.data();
    const kernel::ArrayOr<T> a{x.data()}, b{y.data()};
    x.mesh().context().launch({0, 3 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::select(exec, set, a, b, z.data(), rows, columns);
    });
    return detail::record(
        std::move(z), &detail::select_backward<1, 2, T, M, typename X::mesh_type>,
        [&](auto& r) {
          r.saved[0] = mask.shard();
          r.extent[0] = rows;
          r.extent[1] = columns;
        },
        mask, x, y);
  }
}

/// A value where a mask is set; the mask's dims are the last ones of x.
///
///   y[i..., j...] = value where mask[j...] is not 0,   x[i..., j...] else
///
///   x, y  [b@dp,h@tp,s,t]     mask  u8 [s,t]
///   x, y  [b@dp,s,v@tp]       mask  i32 [v@tp]
///
/// @pre    the mask has integers; x is not Partial: the value would be counted once per rank
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the extents differ; where x has integers and the value is no
///         such one
template <Tensor X, Tensor Mask>
auto masked_fill(const X& x, const Mask& mask, double value) {
  constexpr bool mask_fits = detail::is_mask_of<Mask, X>();
  using Op = ops::masked_fill<X::ndim, mask_fits ? Mask::ndim : 0>;
  if constexpr (!mask_fits) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Mask>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    using M = typename Mask::element_type;
    const detail::Region region("tpx::masked_fill");
    detail::check_mask(mask, x);
    if constexpr (std::is_integral_v<T>)
      TPX_EXPECTS(detail::holds<T>(value), value, x.describe(), "the elements' type has the value");
    const std::int64_t columns = mask.local_count();
    const std::int64_t rows = x.local_shape().count(0, X::ndim - Mask::ndim);
    auto y = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x, mask);
    const M* set = mask.data();
    const kernel::ArrayOr<T> filled{nullptr, static_cast<T>(value)}, kept{x.data()};
    x.mesh().context().launch({0, 2 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::select(exec, set, filled, kept, y.data(), rows, columns);
    });
    return detail::record(
        std::move(y), &detail::select_backward<-1, 0, T, M, typename X::mesh_type>,
        [&](auto& r) {
          r.saved[0] = mask.shard();
          r.extent[0] = rows;
          r.extent[1] = columns;
        },
        x, mask);
  }
}

template <class X, class Y>
refused where(refused, const X&, const Y&) {
  return {};
}
template <Tensor Mask, class Y>
refused where(const Mask&, refused, const Y&) {
  return {};
}
template <Tensor Mask, Tensor X>
refused where(const Mask&, const X&, refused) {
  return {};
}
template <class Mask>
refused masked_fill(refused, const Mask&, double) {
  return {};
}
template <Tensor X>
refused masked_fill(const X&, refused, double) {
  return {};
}

}  // namespace tpx
