// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <tpx/nn/linear.hpp>
#include <tpx/nn/plan.hpp>
#include <tpx/nn/weights.hpp>
#include <tpx/ops/embedding.hpp>

namespace tpx {

/// A linear layer that is split as a plan says.
///
///   y = x W + b      W  [in..., out...]
///
///   Style     x                  W                 y
///   Column    [...,in]{R}        [in,out@axis]     [...,out@axis]
///   Row       [...,in@axis]      [in@axis,out]     [...,out]{P}, which Gives must change
///   Whole     [...,in] as Meets  [in,out]          [...,out] as Meets
///
/// @tparam InDims, OutDims  features may be factored, (heads, head_dim); the first factor is what is split
/// @tparam Meets  what x is on the axis where Style is Whole
/// @tparam Gives  Features: y as it comes; a placement: y redistributed
/// @comm   y to Gives, forward and backward; else none
template <class T, class Mesh, class Plan, class Style, int InDims, int OutDims, class Meets,
          class Gives = Features>
class Projection {
  using axis = typename Plan::axis;
  static constexpr bool as_it_comes = std::is_same_v<Gives, Features>;
  static constexpr bool column = std::is_same_v<Style, Column>;
  using beside = detail::beside_t<Plan, Meets>;
  using split_bias = std::conditional_t<column, typename Plan::template split<0>, beside>;

 public:
  using weight_placement = std::conditional_t<
      column, typename Plan::template split<InDims>,
      std::conditional_t<std::is_same_v<Style, Row>, typename Plan::template split<0>, beside>>;
  using bias_placement = std::conditional_t<as_it_comes, split_bias, detail::beside_t<Plan, Gives>>;

  template <class Weights>
  Projection(const Mesh& mesh, const Weights& weights, const std::string& name, const Shape& in,
             const Shape& out, bool with_bias)
      : weight_(
            weights.template linear<T, InDims + OutDims, weight_placement>(mesh, name + ".weight", in, out)) {
    if (with_bias) bias_ = weights.template vector<T, OutDims, bias_placement>(mesh, name + ".bias", out, T(0));
  }

  template <class X>
  auto operator()(const X& x) const {
    auto y = matmul<InDims>(x, weight_);
    if constexpr (std::is_same_v<decltype(y), refused>) {
      return y;
    } else if constexpr (as_it_comes) {
      return bias_ ? add(std::move(y), *bias_) : std::move(y);
    } else {
      return bias_ ? redistribute_add<Gives>(std::move(y), *bias_) : redistribute<Gives>(std::move(y));
    }
  }

  /// y + residual, which is added where y is summed over the ranks.
  template <class X, class Residual>
  auto operator()(const X& x, const Residual& residual) const {
    auto y = matmul<InDims>(x, weight_);
    if constexpr (std::is_same_v<decltype(y), refused>) {
      return y;
    } else if constexpr (as_it_comes) {
      return bias_ ? add(residual, add(std::move(y), *bias_)) : add(residual, std::move(y));
    } else {
      return bias_ ? redistribute_add<Gives>(std::move(y), *bias_, residual)
                   : redistribute_add<Gives>(std::move(y), residual);
    }
  }

  template <class F>
  void visit(F&& f) {
    f(weight_);
    if (bias_) f(*bias_);
  }

 private:
  Parameter<T, InDims + OutDims, parameter_layout_t<Mesh, weight_placement>, Mesh> weight_;
  std::optional<Parameter<T, OutDims, parameter_layout_t<Mesh, bias_placement>, Mesh>> bias_;
};

/// A table of embeddings, of tokens or of positions, which may be the weight of the output layer too.
///
///   Style     table            rows(id)              logits(x)
///   Row       [v@axis,h]       [...,h]{P:axis}       x {R}  [...,v@axis]
///   Column    [v,h@axis]       [...,h@axis]          x [...,h@axis]  {P:axis}
///   Whole     [v,h] as Meets   [...,h] as Meets      x as Meets
///
/// @tparam Meets  what the table is on the axis where Style is Whole: Invariant, Replicate
/// @comm   none, forward or backward
template <class T, class Mesh, class Plan, class Style, class Meets>
class EmbeddingTable {
 public:
  using placement =
      std::conditional_t<std::is_same_v<Style, Row>, typename Plan::template split<0>,
                         std::conditional_t<std::is_same_v<Style, Column>, typename Plan::template split<1>,
                                            detail::beside_t<Plan, Meets>>>;

  template <class Weights>
  EmbeddingTable(const Mesh& mesh, const Weights& weights, const std::string& name, std::int64_t rows,
                 std::int64_t columns)
      : table_(weights.template table<T, placement>(mesh, name + ".weight", {rows, columns})) {}

  template <class Ids>
  auto rows(const Ids& id) const {
    return embedding(id, table_);
  }
  template <class X>
  auto logits(const X& x) const {
    return matmul_transposed(x, table_);
  }

  template <class F>
  void visit(F&& f) {
    f(table_);
  }

 private:
  Parameter<T, 2, parameter_layout_t<Mesh, placement>, Mesh> table_;
};

}  // namespace tpx
