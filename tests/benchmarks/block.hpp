// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <utility>

#include <tpx/autodiff/backward.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "twin_block.hpp"

namespace tpx::benchmark {

/// The same block as TwinBlock in tpx.
///
/// @tparam Layer   TransformerBlock, or one of the same parameters
/// @tparam Layout  of x and y
template <class Mesh, class Layer, class Layout>
class Block {
 public:
  Block(const Mesh& mesh, BlockSize size)
      : x(normal<float>(mesh, Layout{}, {size.batch, size.positions, size.hidden}, {1, 0})),
        layer(mesh, "block", size.hidden, size.heads, size.ffn, 1, 0.1, 0.05),
        tape_(mesh) {}

  /// One forward, and one backward of the sum of y's elements; gives y and dx.
  auto step() {
    layer.visit([](auto& p) { p.track().state->filled = false; });
    tape_.clear();
    const auto in = tape_.watch(x);
    const auto y = layer(in);
    tape_.template walk<float>(y.track(), 1.0F);  // dy is 1 everywhere
    return std::pair(detach(y), tape_.gradient(in));
  }

  /// The forward without a gradient.
  auto forward() const { return layer(x); }

  DTensor<float, 3, Layout, Mesh> x;
  Layer layer;

 private:
  Tape<Mesh> tape_;
};

}  // namespace tpx::benchmark
