// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <bit>
#include <cstdint>

#include <tpx/core/philox.hpp>
#include <tpx/kernel/mask.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/tensor/factory.hpp>

namespace tpx {

/// Which elements a dropout drops: another place in the program has another stream, and each step and each
/// micro-batch draws anew.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  std::uint64_t step = 0;
  std::uint64_t micro_batch = 0;
};

namespace ops {

template <int N>
struct dropout {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = op_rule("... -> ...", Linearity::product, {N});
};

}  // namespace ops

namespace detail {

/// The key of the numbers at the indices of one call.
constexpr RandomKey random_key(const DropoutKey& key) {
  const auto join = [](const PhiloxBlock& b) {
    return RandomKey{std::uint64_t{b.word[0]} << 32 | b.word[1], std::uint64_t{b.word[2]} << 32 | b.word[3]};
  };
  const RandomKey step = join(philox(key.seed, key.stream, key.step));
  return join(philox(step.seed, step.stream, key.micro_batch));
}

/// Where the local elements lie; dims that are whole join the one before, so that at most five are left:
/// the first, and one for each axis of a mesh.
inline kernel::IndexMap joined_index_map(const Distribution& d) {
  kernel::IndexMap map;
  for (int i = 0; i < d.ndim(); ++i) {
    const Piece p = d.piece(i);
    const std::int64_t whole = d.global()[i];
    if (map.ndim > 0 && p.extent == whole) {
      map.local_extent[map.ndim - 1] *= whole;
      map.global_offset[map.ndim - 1] *= whole;
      map.global_extent[map.ndim - 1] *= whole;
    } else {
      map.local_extent[map.ndim] = p.extent;
      map.global_offset[map.ndim] = p.offset;
      map.global_extent[map.ndim++] = whole;
    }
  }
  return map;
}

/// dX (+)= dY / (1 - p) where the element was kept: the mask is drawn again, no memory holds it.
/// Shape: local and global extents of the map by turns; extents: its offsets, then the key.
template <class T, class Mesh>
void dropout_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::dropout_bwd");
  kernel::IndexMap map;
  map.ndim = r.shape.ndim() / 2;
  for (int i = 0; i < map.ndim; ++i) {
    map.local_extent[i] = r.shape[2 * i];
    map.global_extent[i] = r.shape[2 * i + 1];
    map.global_offset[i] = r.extent[i];
  }
  const auto seed = std::bit_cast<std::uint64_t>(r.extent[5]),
             stream = std::bit_cast<std::uint64_t>(r.extent[6]);
  const double p = r.scalar[0];
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch({map.size(), 2 * map.size() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::dropout(exec, dy, dx.data, map, seed, stream, p, dx.accumulate);
  });
}

}  // namespace detail

/// Sets elements to 0 by chance, and scales the others so that the mean stays.
///
///   y[i...] = 0 with probability p,   x[i...] / (1 - p) else
///
///   x, y  [b@dp,s@tp,h]      x, y  [b@dp,s,h]{P:tp}
///
/// Which elements depends on the key and their global index: the same for every layout and mesh, bit for bit,
/// and the same on all ranks that hold terms of an element, or its copies.
///
/// @pre    0 <= p < 1
/// @comm   none, forward or backward
/// @throws tpx::Error where p is not a probability less than 1
/// @see    arXiv:1207.0580
template <Tensor X>
auto dropout(const X& x, double p, DropoutKey key) {
  using Op = ops::dropout<X::ndim>;
  if constexpr (!detail::admits<Op, over<>, X>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const detail::Region region("tpx::dropout");
    TPX_EXPECTS(0 <= p && p < 1, p, x.describe());
    auto y = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x);
    const kernel::IndexMap map = detail::joined_index_map(x.distribution());
    const RandomKey random = detail::random_key(key);
    const T* in = x.data();
    x.mesh().context().launch({map.size(), 2 * map.size() * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::dropout(exec, in, y.data(), map, random.seed, random.stream, p);
    });
    return detail::record(
        std::move(y), &detail::dropout_backward<T, typename X::mesh_type>,
        [&](auto& r) {
          r.shape = Shape{};
          for (int i = 0; i < map.ndim; ++i) {
            r.shape.push_back(map.local_extent[i]);
            r.shape.push_back(map.global_extent[i]);
            r.extent[i] = map.global_offset[i];
          }
          r.extent[5] = std::bit_cast<std::int64_t>(random.seed);
          r.extent[6] = std::bit_cast<std::int64_t>(random.stream);
          r.scalar[0] = p;
        },
        x);
  }
}

inline refused dropout(refused, double, DropoutKey) { return {}; }

}  // namespace tpx
