// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <string>

#include <tpx/nn/layer_norm.hpp>
#include <tpx/nn/linear.hpp>
#include <tpx/ops/attention.hpp>
#include <tpx/ops/pointwise.hpp>

namespace tpx::test {

/// A transformer block whose activations between the linear layers are split over the positions, built of
/// the same layers and with the same parameters as TransformerBlock.
///
///   S(seq) -> R -> S(heads) -> P -> S(seq),   twice
///
/// @comm   forward: two all_gathers and two reduce_scatters of (b, s, h) over Axis.  backward: the same
template <class T, class Mesh, class Axis>
class SequenceBlock {
 public:
  SequenceBlock(const Mesh& mesh, const std::string& name, std::int64_t features, std::int64_t heads,
                std::int64_t hidden, std::uint64_t seed, double deviation, double output_deviation)
      : norm1_(mesh, name + ".norm1", features),
        query_(mesh, name + ".attention.query", features, {heads, features / heads}, seed, deviation),
        key_(mesh, name + ".attention.key", features, {heads, features / heads}, seed, deviation),
        value_(mesh, name + ".attention.value", features, {heads, features / heads}, seed, deviation),
        out_(mesh, name + ".attention.out", {heads, features / heads}, features, seed, output_deviation),
        norm2_(mesh, name + ".norm2", features),
        mlp_in_(mesh, name + ".mlp.in", features, {hidden}, seed, deviation),
        mlp_out_(mesh, name + ".mlp.out", {hidden}, features, seed, output_deviation) {}

  template <class X>
  auto operator()(const X& x) const {
    const auto r = redistribute<Replicate<Axis>>(norm1_(x));  // gathered once for three uses
    const auto a = add(x, out_(attention(query_(r), key_(r), value_(r), Mask::causal)));
    return add(a, mlp_out_(gelu_tanh(mlp_in_(norm2_(a)))));
  }

  template <class F>
  void visit(F&& f) {
    norm1_.visit(f);
    query_.visit(f);
    key_.visit(f);
    value_.visit(f);
    out_.visit(f);
    norm2_.visit(f);
    mlp_in_.visit(f);
    mlp_out_.visit(f);
  }

 private:
  using Split = Shard<1, Axis>;
  LayerNorm<T, Mesh, Replicate<Axis>> norm1_;
  ColumnParallelLinear<T, Mesh, Axis, 2, Replicate<Axis>> query_, key_, value_;
  RowParallelLinear<T, Mesh, Axis, 2, Features, Split> out_;
  LayerNorm<T, Mesh, Replicate<Axis>> norm2_;
  ColumnParallelLinear<T, Mesh, Axis, 1, Split> mlp_in_;
  RowParallelLinear<T, Mesh, Axis, 1, Features, Split> mlp_out_;
};

}  // namespace tpx::test
