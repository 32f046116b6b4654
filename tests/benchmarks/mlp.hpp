// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <memory>
#include <optional>

#include <tpx/autodiff/backward.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/environment.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

namespace tpx::benchmark {

/// The same block as TwinMlp in tpx.
template <class Mesh>
class Mlp {
  using tp = axes::tp;

 public:
  Mlp(const Mesh& mesh, std::int64_t rows, std::int64_t hidden, std::int64_t ffn)
      : x(normal<float>(mesh, layout<>, {rows, hidden}, {1, 0})),
        w1(make_parameter("w1",
                          normal<float>(mesh, layout<Shard<1, tp>>, {hidden, ffn}, {1, 1}, 0, scale(hidden)))),
        b1(make_parameter("b1", normal<float>(mesh, layout<Shard<0, tp>>, {ffn}, {1, 2}))),
        w2(make_parameter("w2",
                          normal<float>(mesh, layout<Shard<0, tp>>, {ffn, hidden}, {1, 3}, 0, scale(ffn)))),
        b2(make_parameter("b2", normal<float>(mesh, layout<>, {hidden}, {1, 4}))),
        tape_(mesh) {}

  /// One forward, and one backward of the sum of y's elements; gives y and dx.
  auto step() {
    for (ParameterState* p :
         {w1.track().state.get(), b1.track().state.get(), w2.track().state.get(), b2.track().state.get()})
      p->filled = false;
    tape_.clear();
    auto in = tape_.watch(x);
    auto h = gelu(add(matmul(redistribute<Replicate<tp>>(in), w1), b1));
    auto y = add(redistribute<Invariant<tp>>(matmul(h, w2)), b2);
    tape_.template walk<float>(y.track(), 1.0F);  // dy is 1 everywhere
    return std::pair(detach(y), tape_.gradient(in));
  }

 private:
  static double scale(std::int64_t contracted) { return 1.0 / std::sqrt(static_cast<double>(contracted)); }

 public:
  DTensor<float, 2, layout_t<>, Mesh> x;
  Parameter<float, 2, layout_t<Shard<1, tp>>, Mesh> w1;
  Parameter<float, 1, layout_t<Shard<0, tp>>, Mesh> b1;
  Parameter<float, 2, layout_t<Shard<0, tp>>, Mesh> w2;
  Parameter<float, 1, layout_t<>, Mesh> b2;

 private:
  Tape<Mesh> tape_;
};

}  // namespace tpx::benchmark
