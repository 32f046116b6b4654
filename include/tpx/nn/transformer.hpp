// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <tpx/nn/layer_norm.hpp>
#include <tpx/nn/linear.hpp>
#include <tpx/ops/attention.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/recompute.hpp>

namespace tpx {

/// Two linear layers with a GELU between them, split over the hidden features.
///
///   y = gelu(x W1 + b1) W2 + b2,   gelu in its tanh form, as in GPT-2
///
///   x  [b,s,h]     W1  [h,f@Axis]     gelu(...)  [b,s,f@Axis]     W2  [f@Axis,h]     y  [b,s,h]
///
/// @comm   forward: one all_reduce of (b, s, h) over Axis.  backward: one of the same
template <class T, class Mesh, class Axis>
class Mlp {
 public:
  Mlp(const Mesh& mesh, const std::string& name, std::int64_t features, std::int64_t hidden, std::uint64_t seed,
      double deviation, double output_deviation)
      : in_(mesh, name + ".in", features, {hidden}, seed, deviation),
        out_(mesh, name + ".out", {hidden}, features, seed, output_deviation) {}

  /// @param  residual  none, or one that is added to y where that is summed
  template <class X, class... Residual>
  auto operator()(const X& x, const Residual&... residual) const {
    return out_(gelu_tanh(in_(x)), residual...);  // I -> R -> S(hidden) -> P -> I
  }

  template <class F>
  void visit(F&& f) {
    in_.visit(f);
    out_.visit(f);
  }

 private:
  ColumnParallelLinear<T, Mesh, Axis> in_;
  RowParallelLinear<T, Mesh, Axis> out_;
};

namespace detail {

template <bool fits, class... Facts>
constexpr void a_layer_takes_sequences() {
  static_assert(fits, "tpx: this layer takes sequences: x is [batch, positions, features] (see op, operand)");
}
/// Whether x has the dims of a batch of sequences; what was refused already says no more.
template <class Layer, class X>
constexpr bool takes_sequences() {
  if constexpr (Tensor<X>) {
    a_layer_takes_sequences<X::ndim == 3, op<Layer>, operand<0, typename X::layout_type>>();
    return X::ndim == 3;
  } else {
    return true;
  }
}

}  // namespace detail

/// Causal multi-head self-attention, split over the heads.
///
///   x  [b,s,h]     q, k, v  [b,s,heads@Axis,d]     y  [b,s,h]
///
/// @pre    features are a multiple of heads, and heads of the axis size
/// @comm   forward: one all_reduce of (b, s, h) over Axis.  backward: one of the same
/// @throws tpx::Error, on every rank, naming the extents
/// @see    arXiv:1909.08053, section 3
template <class T, class Mesh, class Axis>
class SelfAttention {
 public:
  SelfAttention(const Mesh& mesh, const std::string& name, std::int64_t features, std::int64_t heads,
                std::uint64_t seed, double deviation, double output_deviation)
      : query_(mesh, name + ".query", features, factors(features, heads), seed, deviation),
        key_(mesh, name + ".key", features, factors(features, heads), seed, deviation),
        value_(mesh, name + ".value", features, factors(features, heads), seed, deviation),
        out_(mesh, name + ".out", factors(features, heads), features, seed, output_deviation) {}

  /// @param  residual  none, or one that is added to y where that is summed
  template <class X, class... Residual>
  auto operator()(const X& x, const Residual&... residual) const {
    if constexpr (!detail::takes_sequences<SelfAttention, X>()) {
      return refused{};
    } else {
      const auto r = redistribute<Replicate<Axis>>(x);  // once for three uses: one all-reduce in backward
      return out_(attention(query_(r), key_(r), value_(r), Mask::causal), residual...);
    }
  }

  template <class F>
  void visit(F&& f) {
    query_.visit(f);
    key_.visit(f);
    value_.visit(f);
    out_.visit(f);
  }

 private:
  /// features = (heads, head_dim)
  static std::array<std::int64_t, 2> factors(std::int64_t features, std::int64_t heads) {
    TPX_EXPECTS(heads >= 1 && features % heads == 0, features, heads, "features are a multiple of heads");
    return {heads, features / heads};
  }

  using Projection = ColumnParallelLinear<T, Mesh, Axis, 2, Replicate<Axis>>;
  Projection query_, key_, value_;
  RowParallelLinear<T, Mesh, Axis, 2> out_;
};

/// What of each block backward computes again, so that the tape need not keep it.
enum class Recompute {
  none,       ///< the tape keeps all
  attention,  ///< norm, queries, keys, values, attention and its projection
  block       ///< all: the tape keeps the block's input
};

constexpr const char* name(Recompute kind) {
  constexpr const char* names[] = {"none", "attention", "block"};
  return names[static_cast<int>(kind)];
}

/// What is recomputed, by its name.  @throws tpx::Error where there is none
inline Recompute recompute_kind(std::string_view text) {
  for (const Recompute kind : {Recompute::none, Recompute::attention, Recompute::block})
    if (text == name(kind)) return kind;
  fail("tpx::recompute_kind: recompute is none, attention or block; given was '" + std::string(text) + "'");
}

/// One transformer block, norms first.
///
///   x = x + attention(norm(x)),   y = x + mlp(norm(x))          x, y  [b,s,h]
///
/// @comm   forward: two all_reduces of (b, s, h) over Axis.  backward: two of the same, and those of what is
///         recomputed: one for Recompute::attention, two for Recompute::block
/// @pre    what is recomputed: the block is there, and where it was, until backward
template <class T, class Mesh, class Axis>
class TransformerBlock {
 public:
  TransformerBlock(const Mesh& mesh, const std::string& name, std::int64_t features, std::int64_t heads,
                   std::int64_t hidden, std::uint64_t seed, double deviation, double output_deviation,
                   Recompute again = Recompute::none)
      : norm1_(mesh, name + ".norm1", features),
        attention_(mesh, name + ".attention", features, heads, seed, deviation, output_deviation),
        norm2_(mesh, name + ".norm2", features),
        mlp_(mesh, name + ".mlp", features, hidden, seed, deviation, output_deviation),
        again_(again) {}

  template <class X>
  auto operator()(const X& x) const {
    const auto block = [this](const auto& in) {
      const auto attended = [this](const auto& v) { return attention_(norm1_(v), v); };
      const auto a = again_ == Recompute::attention ? recompute(attended, in) : attended(in);
      return mlp_(norm2_(a), a);
    };
    return again_ == Recompute::block ? recompute(block, x) : block(x);
  }

  template <class F>
  void visit(F&& f) {
    norm1_.visit(f);
    attention_.visit(f);
    norm2_.visit(f);
    mlp_.visit(f);
  }

 private:
  LayerNorm<T, Mesh, Invariant<Axis>> norm1_;
  SelfAttention<T, Mesh, Axis> attention_;
  LayerNorm<T, Mesh, Invariant<Axis>> norm2_;
  Mlp<T, Mesh, Axis> mlp_;
  Recompute again_;
};

}  // namespace tpx
