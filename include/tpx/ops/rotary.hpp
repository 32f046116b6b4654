// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <tpx/kernel/rotary.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/tensor/host_copy.hpp>

namespace tpx {

namespace ops {

template <int N>
struct rotary {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = op_rule("b s ... d, b s -> b s ... d", Linearity::product, {N, 2}, "d", 0b10);
};

}  // namespace ops

/// The cosines and sines by which rotary() turns, for each position up to the context: the same on every rank.
///
///   angle[position, c] = position base^(-2 c / head_dim),   c = 0, ..., head_dim / 2 - 1
template <class T, class Mesh>
class RotaryTable {
 public:
  /// @throws tpx::Error where the head's features are no pairs
  RotaryTable(const Mesh& mesh, std::int64_t context, std::int64_t head_dim, double base)
      : context_(context), head_dim_(head_dim) {
    TPX_EXPECTS(context >= 0 && head_dim >= 0 && head_dim % 2 == 0, context, head_dim,
                "rotary positions turn pairs of features");
    values_ = detail::allocate<T>(mesh, context * head_dim);
    if constexpr (Mesh::context_type::has_memory) {
      const std::int64_t half = head_dim / 2;
      std::vector<T> values(static_cast<std::size_t>(context * head_dim));
      for (std::int64_t p = 0; p < context; ++p) {
        for (std::int64_t c = 0; c < half; ++c) {
          const double angle = static_cast<double>(p) *
                               std::pow(base, -2.0 * static_cast<double>(c) / static_cast<double>(head_dim));
          values[static_cast<std::size_t>(p * head_dim + c)] = static_cast<T>(std::cos(angle));
          values[static_cast<std::size_t>(p * head_dim + half + c)] = static_cast<T>(std::sin(angle));
        }
      }
      detail::copy_from_host(mesh, values.data(), values_.template as<T>(), context * head_dim);
    }
  }

  std::int64_t context() const { return context_; }
  std::int64_t head_dim() const { return head_dim_; }
  const Buffer& values() const { return values_; }

 private:
  std::int64_t context_, head_dim_;
  Buffer values_;
};

namespace detail {

/// Extents rows, heads, half of a head's features; saved positions and table.
template <class T, class Mesh>
void rotary_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::rotary_bwd");
  const std::int64_t rows = r.extent[0], heads = r.extent[1], half = r.extent[2], n = rows * heads * half;
  const auto* position = static_cast<const std::int32_t*>(r.saved[0].template as<std::int32_t>());
  const T* table = r.saved[1].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch({6 * n, 4 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::rotary(exec, dy, position, table, dx.data, rows, heads, half, true, dx.accumulate);
  });
}

}  // namespace detail

/// Rotary position embedding: turns pairs of each head's features, so that a product of a query and a key
/// depends on how far apart they are.
///
///   y[b,s,...,c]        = x[b,s,...,c] cos a - x[b,s,...,half + c] sin a
///   y[b,s,...,half + c] = x[b,s,...,half + c] cos a + x[b,s,...,c] sin a      a = angle[position[b,s], c]
///
///   x, y  [b@dp,s,h@tp,d]     position  i32 [b@dp,s]
///
/// The halves of a head are the pairs, as in the files of Hugging Face; the original Llama's, and GGUF's, are
/// neighbours, which is the same after the rows of the weights are put in another order.
///
/// @pre    0 <= position < table.context(); the last dim is whole
/// @comm   none, forward or backward
/// @throws tpx::Error naming the operands where the extents differ
/// @see    arXiv:2104.09864
template <Tensor X, Tensor Positions, class T, class Mesh>
auto rotary(const X& x, const Positions& position, const RotaryTable<T, Mesh>& table) {
  constexpr bool numbers = std::is_same_v<typename Positions::element_type, std::int32_t>;
  static_assert(numbers,
                "tpx::rotary: positions are std::int32_t, and come second: rotary(x, position, table)");
  constexpr bool dims = X::ndim >= 3 && Positions::ndim == 2;
  static_assert(!numbers || dims,
                "tpx::rotary: x is [batch, positions, ..., head_dim], positions are [batch, positions]");
  constexpr bool same =
      std::is_same_v<typename X::element_type, T> && std::is_same_v<typename X::mesh_type, Mesh>;
  static_assert(!numbers || !dims || same, "tpx::rotary: the table has the elements of x, and its mesh");
  using Op = ops::rotary<X::ndim>;
  if constexpr (!numbers || !dims || !same) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Positions>()) {
    return refused{};
  } else {
    const detail::Region region("tpx::rotary");
    TPX_EXPECTS(x.extent(0) == position.extent(0) && x.extent(1) == position.extent(1) &&
                    x.extent(X::ndim - 1) == table.head_dim(),
                x.describe(), position.describe(), table.head_dim());
    const Shape local = x.local_shape();
    const std::int64_t rows = local.count(0, 2), heads = local.count(2, X::ndim - 1),
                       half = table.head_dim() / 2;
    auto y = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x, position);
    const T* in = x.data();
    const std::int64_t n = rows * heads * half;
    x.mesh().context().launch({6 * n, 4 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::rotary(exec, in, static_cast<const std::int32_t*>(position.data()),
                     static_cast<const T*>(table.values().template as<T>()), y.data(), rows, heads, half);
    });
    return detail::record(
        std::move(y), &detail::rotary_backward<T, Mesh>,
        [&](auto& r) {
          r.saved[0] = position.shard();
          r.saved[1] = table.values();
          r.extent[0] = rows;
          r.extent[1] = heads;
          r.extent[2] = half;
        },
        x, position);
  }
}

template <class Positions, class Table>
refused rotary(refused, const Positions&, const Table&) {
  return {};
}
template <Tensor X, class Table>
refused rotary(const X&, refused, const Table&) {
  return {};
}

}  // namespace tpx
