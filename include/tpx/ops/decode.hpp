// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/kernel/decode.hpp>
#include <tpx/ops/op.hpp>

/// What inference needs beside the ops that training has. They have no gradient.
namespace tpx {

namespace ops {

template <int N>
struct select_position {
  static constexpr OpRule rule = op_rule("b s ..., b -> b ...", Linearity::product, {N, 1}, "s", 0b10);
};
template <int N>
struct store_positions {
  static constexpr OpRule rule =
      op_rule("b t ..., b s ..., b -> b t ...", Linearity::sum, {N, N, 1}, "s t", 0b100);
};

}  // namespace ops

namespace detail {

template <bool fits, class... Facts>
constexpr void an_op_without_gradient() {
  static_assert(fits, "tpx: this op has no gradient: detach(x) what is on a tape (see op)");
}

}  // namespace detail

/// The positions of tokens, counted from a number that each sample has: an i32 beside ids, on the tape they are
/// on.
///
///   y[b,s] = first[b] + s,  or s
///
///   ids  i32 [b@dp,s]    first  i32 [b@dp]    y  i32 [b@dp,s]
///
/// @pre    ids are not Partial
/// @comm   none
template <Tensor Ids, Tensor... First>
auto positions_of(const Ids& ids, const First&... first) {
  constexpr bool fits = Ids::ndim == 2 && sizeof...(First) <= 1 && ((First::ndim == 1) && ...) &&
                        (std::is_same_v<typename First::element_type, std::int32_t> && ...);
  static_assert(fits, "tpx::positions_of: ids are [batch, positions], first is i32 [batch]");
  if constexpr (!fits) {
    return refused{};
  } else {
    using Mesh = typename Ids::mesh_type;
    const Mesh& mesh = ids.mesh();
    auto y = detail::make_tensor<std::int32_t, 2, typename Ids::layout_type>(mesh, ids.shape());
    const Piece held = ids.distribution().piece(1);
    TPX_EXPECTS(held.extent == ids.extent(1), ids.describe(), "the positions are whole");
    const std::int32_t* start = nullptr;
    ((start = first.data()), ...);
    const std::int64_t batch = ids.local_shape()[0];
    mesh.context().launch({0, batch * held.extent * std::int64_t{sizeof(std::int32_t)}}, [&](const auto& exec) {
      kernel::count_from(exec, start, y.data(), batch, held.extent);
    });
    if constexpr (detail::is_on_tape<Ids>) {
      return ids.track().tape->input(y);
    } else {
      return y;
    }
  }
}

/// One position of each sample.
///
///   y[b,...] = x[b, index[b], ...]
///
///   x  [b@dp,s,h]    index  i32 [b@dp]    y  [b@dp,h]
///
/// @pre    0 <= index < s; the positions are whole
/// @comm   none
template <Tensor X, Tensor Index>
auto select_position(const X& x, const Index& index) {
  constexpr bool fits =
      X::ndim >= 2 && Index::ndim == 1 && std::is_same_v<typename Index::element_type, std::int32_t>;
  static_assert(fits, "tpx::select_position: x is [batch, positions, ...], the index i32 [batch]");
  using Op = ops::select_position<X::ndim>;
  constexpr bool plain = !detail::recorded<X>;
  detail::an_op_without_gradient<!fits || plain, detail::op<Op>>();
  if constexpr (!fits || !plain) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Index>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::select_pos");
    TPX_EXPECTS(x.extent(0) == index.extent(0), x.describe(), index.describe());
    Shape global;
    for (int d = 0; d < X::ndim; ++d)
      if (d != 1) global.push_back(x.extent(d));
    auto y = detail::make_result<Op, T, X::ndim - 1, over<>>(global, x, index);
    const Shape local = x.local_shape();
    const std::int64_t width = local.count(2, X::ndim);
    const T* in = x.data();
    x.mesh().context().launch({0, 2 * local[0] * width * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::select_rows(exec, in, static_cast<const std::int32_t*>(index.data()), y.data(), local[0],
                          local[1], width);
    });
    return y;
  }
}

/// Writes positions of each sample into a cache, in place.
///
///   cache[b, first[b] + s, ...] = x[b, s, ...]       what would lie beyond the cache is left out
///
///   cache  [b@dp,t,g@tp,d]    x  [b@dp,s,g@tp,d]    first  i32 [b@dp]
///
/// @pre    the positions of both are whole, the other dims equal and of one layout
/// @comm   none
template <Tensor Cache, Tensor X, Tensor First>
void store_positions(const Cache& cache, const X& x, const First& first) {
  constexpr bool fits = Cache::ndim == X::ndim && X::ndim >= 2 && First::ndim == 1 &&
                        std::is_same_v<typename First::element_type, std::int32_t>;
  static_assert(fits, "tpx::store_positions: cache and x are [batch, positions, ...], first is i32 [batch]");
  using Op = ops::store_positions<X::ndim>;
  constexpr bool plain = !detail::recorded<Cache, X>;
  detail::an_op_without_gradient<!fits || plain, detail::op<Op>>();
  if constexpr (!fits || !plain) {
    return;
  } else if constexpr (detail::admits<Op, over<>, Cache, X, First>()) {
    using T = typename X::element_type;
    const detail::Region region("tpx::store_pos");
    const Shape from = x.local_shape(), to = cache.local_shape();
    const std::int64_t width = from.count(2, X::ndim);
    TPX_EXPECTS(from[0] == to[0] && first.extent(0) == x.extent(0) && width == to.count(2, X::ndim),
                x.describe(), cache.describe(), first.describe());
    const T* in = x.data();
    x.mesh().context().launch({0, 2 * from.count() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::store_rows(exec, in, static_cast<const std::int32_t*>(first.data()), cache.data(), from[0],
                         from[1], to[1], width);
    });
  }
}

template <class... First>
refused positions_of(refused, const First&...) {
  return {};
}
template <class Index>
refused select_position(refused, const Index&) {
  return {};
}
template <class Cache, class First>
void store_positions(const Cache&, refused, const First&) {}

}  // namespace tpx
