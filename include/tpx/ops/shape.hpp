// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/block.hpp>
#include <tpx/kernel/strided.hpp>
#include <tpx/ops/op.hpp>

/// Ops that move elements and compute nothing: linear, so that they take Partial.
namespace tpx {

namespace detail {

/// Whether the numbers are 0 to n - 1 in some order.
template <int... Order>
constexpr bool is_permutation(int n) {
  int seen = 0;
  for (int d = 0; d < n; ++d) seen += (0 + ... + (Order == d ? 1 : 0)) == 1;
  return seen == n && static_cast<int>(sizeof...(Order)) == n;
}

/// Operands and result have the same dims; one of them is needed whole.
constexpr OpRule along_rule(Linearity linearity, int operands, int n, int dim) {
  OpRule r;
  r.linearity = linearity;
  r.operands = operands;
  r.result_ndim = n;
  r.whole = 1ull << dim;
  for (int i = 0; i < operands; ++i) {
    r.ndim[i] = n;
    for (int d = 0; d < n; ++d) r.factor[i][d] = r.result[d] = static_cast<signed char>(d);
  }
  return r;
}

}  // namespace detail

namespace ops {

/// Dim i of the result is dim Order[i] of the operand.
template <int... Order>
struct transpose {
  static constexpr OpRule rule = [] {
    OpRule r;
    constexpr int order[] = {Order...};
    r.operands = 1;
    r.ndim[0] = r.result_ndim = static_cast<int>(sizeof...(Order));
    for (int d = 0; d < r.result_ndim; ++d) {
      r.factor[0][d] = static_cast<signed char>(d);
      r.result[d] = static_cast<signed char>(order[d]);
    }
    return r;
  }();
};
template <int N, int Dim>
struct slice {
  static constexpr OpRule rule = detail::along_rule(Linearity::product, 1, N, Dim);
};
/// A sum of operands that are padded with zeros, so that Partial are all or none.
template <int N, int Dim, int Operands>
struct concatenate {
  static constexpr OpRule rule = detail::along_rule(Linearity::sum, Operands, N, Dim);
};

}  // namespace ops

namespace detail {

/// The walk of a dense array whose dims are taken in this order.
template <int... Order>
kernel::StrideMap in_order(const Shape& shape) {
  kernel::StrideMap map;
  (map.push_back(shape[Order], shape.count(Order + 1, shape.ndim())), ...);
  return map;
}

/// dX (+)= dY, the dims back in their places;  shape that of the shard of y.
template <class T, class Mesh, int... Order>
void transpose_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::transpose_bwd");
  constexpr int order[] = {Order...};
  constexpr int n = static_cast<int>(sizeof...(Order));
  kernel::StrideMap map;
  for (int d = 0; d < n; ++d)
    for (int i = 0; i < n; ++i)
      if (order[i] == d) map.push_back(r.shape[i], r.shape.count(i + 1, n));
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch({0, 2 * map.size() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    if (dx.accumulate) {
      kernel::spread_strided(exec, dy, map, T(1), dx.data, true);
    } else {
      kernel::gather_strided(exec, dy, map, dx.data);
    }
  });
}

/// The part of dX that was taken (+)= dY, 0 elsewhere;  extents rows, columns of x, first column, columns of y.
template <class T, class Mesh>
void slice_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::slice_bwd");
  const std::int64_t rows = r.extent[0], wide = r.extent[1], first = r.extent[2], columns = r.extent[3];
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch({0, rows * (wide + columns) * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    if (!dx.accumulate) kernel::fill(exec, dx.data, rows * wide, T(0));
    kernel::move_block(exec, dy, columns, dx.data + first, wide, rows, columns, dx.accumulate);
  });
}

/// Each operand's gradient (+)= its columns of dZ;  extents the columns of each, shape their rows.
template <int N, class T, class Mesh>
void concatenate_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::concat_bwd");
  const std::int64_t rows = r.shape[0];
  std::int64_t wide = 0;
  for (int i = 0; i < N; ++i) wide += r.extent[i];
  const T* dz = tape.template gradient_of<T>(r.out);
  std::int64_t first = 0;
  for (int i = 0; i < N; first += r.extent[i++]) {
    const std::int64_t columns = r.extent[i];
    if (const Sink<T> to = tape.template sink<T>(r.in[i]))
      tape.mesh().context().launch({0, 2 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::move_block(exec, dz + first, wide, to.data, columns, rows, columns, to.accumulate);
      });
  }
}

}  // namespace detail

/// The dims in another order; a split dim stays split.
///
///   y[i_Order[0], i_Order[1], ...] = x[i_0, i_1, ...]      dim d of y is dim Order[d] of x
///
///   x  [b@dp,s,h@tp]    transpose<2, 0, 1>(x)    y  [h@tp,b@dp,s]
///
/// @pre    the order names each dim of x once
/// @post   y is dense
/// @comm   none, forward or backward
template <int... Order, Tensor X>
auto transpose(const X& x) {
  static_assert(detail::is_permutation<Order...>(X::ndim),
                "tpx::transpose: the order names each dim of the operand once, counted from 0");
  using Op = ops::transpose<Order...>;
  if constexpr (!detail::admits<Op, over<>, X>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::transpose");
    const Shape global{x.extent(Order)...};
    auto y = detail::make_result<Op, T, X::ndim, over<>>(global, x);
    const kernel::StrideMap map = detail::in_order<Order...>(x.local_shape());
    const T* in = x.data();
    x.mesh().context().launch({0, 2 * map.size() * std::int64_t{sizeof(T)}},
                              [&](const auto& exec) { kernel::gather_strided(exec, in, map, y.data()); });
    const Shape local = y.local_shape();
    return detail::record(
        std::move(y), &detail::transpose_backward<T, typename X::mesh_type, Order...>,
        [&](auto& r) { r.shape = local; }, x);
  }
}

/// A part of a dim that is whole.
///
///   y[i..., j] = x[i..., begin + j],   0 <= j < end - begin        j any of the dims
///
///   x  [b@dp,s,h]    slice<1>(x, 2, 5)    y  [b@dp,3,h]
///
/// @pre    0 <= begin <= end <= the extent; the dim is not split
/// @comm   none, forward or backward
/// @throws tpx::Error where begin and end are none of the operand's
template <int Dim, Tensor X>
auto slice(const X& x, std::int64_t begin, std::int64_t end) {
  constexpr bool has_dim = 0 <= Dim && Dim < X::ndim;
  static_assert(has_dim,
                "tpx::slice: the dim is one of the operand's, 0 to ndim - 1, and not counted from the end");
  using Op = ops::slice<X::ndim, Dim>;
  if constexpr (!has_dim) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::slice");
    TPX_EXPECTS(0 <= begin && begin <= end && end <= x.extent(Dim), begin, end, Dim, x.describe());
    Shape global = x.shape();
    global[Dim] = end - begin;
    const Shape local = x.local_shape();
    const std::int64_t rows = local.count(0, Dim), inner = local.count(Dim + 1, X::ndim);
    const std::int64_t wide = local[Dim] * inner, first = begin * inner, columns = (end - begin) * inner;
    auto y = detail::make_result<Op, T, X::ndim, over<>>(global, x);
    const T* in = x.data();
    x.mesh().context().launch({0, 2 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::move_block(exec, in + first, wide, y.data(), columns, rows, columns);
    });
    return detail::record(
        std::move(y), &detail::slice_backward<T, typename X::mesh_type>,
        [&](auto& r) {
          r.extent[0] = rows;
          r.extent[1] = wide;
          r.extent[2] = first;
          r.extent[3] = columns;
        },
        x);
  }
}

/// Tensors one behind the other along a dim that is whole.
///
///   z[i..., j] = x[i..., j] for j < n,   y[i..., j - n] for n <= j < n + m,   and so on with those that follow
///                                        j any of the dims, n and m its extents in x and y
///
///   x  [b@dp,s,h]          y  [b@dp,t,h]          concatenate<1>(x, y)       z  [b@dp,s+t,h]
///   x  [b,s,h]{P:tp}       y  [b,t,h]{P:tp}       concatenate<1>(x, y, x)    z  [b,s+t+s,h]{P:tp}
///
/// @pre    two to eight operands, whose other extents are equal; the dim is not split; Partial are all or none
/// @comm   none, forward or backward
/// @throws tpx::Error naming both operands where the other extents differ
template <int Dim, Tensor X, Tensor Y, Tensor... More>
auto concatenate(const X& x, const Y& y, const More&... more) {
  constexpr int n = 2 + static_cast<int>(sizeof...(More));
  constexpr bool alike = X::ndim == Y::ndim && ((X::ndim == More::ndim) && ...);
  static_assert(alike, "tpx::concatenate: the operands have the same number of dims");
  constexpr bool has_dim = !alike || (0 <= Dim && Dim < X::ndim);
  static_assert(
      has_dim,
      "tpx::concatenate: the dim is one of the operands', 0 to ndim - 1, and not counted from the end");
  constexpr bool few = !alike || !has_dim || n <= OpRule::max_operands;
  static_assert(few, "tpx::concatenate: two to eight tensors are joined: join eight, and the result with more");
  using Op = ops::concatenate<X::ndim, Dim, n>;
  if constexpr (!alike || !has_dim || !few) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Y, More...>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::concat");
    Shape global = x.shape();
    const auto join = [&](const auto& other) {
      for (int d = 0; d < X::ndim; ++d)
        TPX_EXPECTS(d == Dim || x.extent(d) == other.extent(d), x.describe(), other.describe());
      global[Dim] += other.extent(Dim);
    };
    (join(y), ..., join(more));
    const Shape local = x.local_shape();
    const std::int64_t rows = local.count(0, Dim), inner = local.count(Dim + 1, X::ndim);
    const T* const from[] = {x.data(), y.data(), more.data()...};
    const std::int64_t columns[] = {x.extent(Dim) * inner, y.extent(Dim) * inner, more.extent(Dim) * inner...};
    const std::int64_t wide = global[Dim] * inner;
    auto z = detail::make_result<Op, T, X::ndim, over<>>(global, x, y, more...);
    x.mesh().context().launch({0, 2 * rows * wide * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      std::int64_t first = 0;
      for (int i = 0; i < n; first += columns[i++])
        kernel::move_block(exec, from[i], columns[i], z.data() + first, wide, rows, columns[i]);
    });
    return detail::record(
        std::move(z), &detail::concatenate_backward<n, T, typename X::mesh_type>,
        [&](auto& r) {
          r.shape.push_back(rows);
          for (int i = 0; i < n; ++i) r.extent[i] = columns[i];
        },
        x, y, more...);
  }
}

template <int... Order>
refused transpose(refused) {
  return {};
}
template <int Dim>
refused slice(refused, std::int64_t, std::int64_t) {
  return {};
}
template <int Dim, class X, class Y, class... More>
requires(detail::is_refused<X> || detail::is_refused<Y> || (detail::is_refused<More> || ...)) refused
    concatenate(const X& x, const Y& y, const More&... more) {
  return detail::refused_again(x, y, more...);
}

}  // namespace tpx
