// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <tpx/nn/init.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/ops/redistribute_add.hpp>

namespace tpx {

/// In a layer's `Accepts` and `Gives`: the activation is split over the layer's features, as it comes.
struct Features {};

namespace detail {

template <bool fits, class... Facts>
constexpr void a_layer_accepts() {
  static_assert(fits,
                "tpx: a layer takes activations in the layout that its Accepts names "
                "(see accepts, given); redistribute first, or choose another Accepts");
}
template <bool fits, class... Facts>
constexpr void a_layer_names_its_axis() {
  static_assert(
      fits,
      "tpx: a layer's Accepts and Gives are placements on its own axis, Shard<dim, axis>, "
      "Replicate<axis> or Invariant<axis>, or Features where it splits them (see accepts, gives, on)");
}
template <class Placement>
struct accepts;
template <class Placement>
struct gives;

/// Whether L is what Placement says on the axes that Placement names.
template <class Placement, class L>
inline constexpr bool is_placed = std::is_same_v<with_t<L, Placement>, L>;

/// Whether X is as a layer accepts it; where it is not, the error that says why.
template <class Accepts, class X>
constexpr bool is_accepted() {
  if constexpr (std::is_same_v<Accepts, Features>) {
    return true;
  } else {
    constexpr bool fits = is_placed<Accepts, typename X::layout_type>;
    a_layer_accepts<fits, accepts<Accepts>, given<typename X::layout_type>>();
    return fits;
  }
}

template <class Placement, class Axis>
inline constexpr bool is_on_axis = std::is_same_v<typename parts<Placement>::axes, AxisList<Axis>>;
template <class Axis>
inline constexpr bool is_on_axis<Features, Axis> = true;

template <class Axis, class Accepts, class Gives, bool SplitsResult>
constexpr bool names_its_axis() {
  constexpr bool fits = is_on_axis<Accepts, Axis> && is_on_axis<Gives, Axis> &&
                        (SplitsResult || !std::is_same_v<Gives, Features>);
  a_layer_names_its_axis<fits, accepts<Accepts>, gives<Gives>, on<Axis>>();
  return fits;
}

template <std::size_t N>
void expect_features([[maybe_unused]] const std::string& name, [[maybe_unused]] std::int64_t one,
                     const std::array<std::int64_t, N>& factored) {
  TPX_EXPECTS(one >= 1, name, one, "a layer has features");
  for ([[maybe_unused]] const std::int64_t extent : factored)
    TPX_EXPECTS(extent >= 1, name, extent, N,
                "factored features have as many extents, each of them at least 1");
}

/// What a bias beside activations with this placement is: I beside I, R beside anything else, because then
/// the ranks use it for different work.
template <class Axis, class Gives>
struct bias_beside {
  using type = Replicate<Axis>;
};
template <class Axis>
struct bias_beside<Axis, Invariant<Axis>> {
  using type = Invariant<Axis>;
};

}  // namespace detail

/// A linear layer whose output features are split over an axis.
///
///   y = x W + b,   W = [W_1 ... W_p]
///
///   x  [...,k] as Accepts      W  [k,n@Axis]     b  [n@Axis]      y  [...,n@Axis], or as Gives
///
/// With OutDims = 2 the features are factored, n = (heads, head_dim), and the heads are split.
///
/// @tparam Accepts  Invariant<Axis>, Replicate<Axis>, or Shard<d, Axis> of another dim (sequence parallel)
/// @tparam Gives    Features: split as it comes; Invariant<Axis> or Replicate<Axis>: gathered
/// @pre    the extents are at least 1, and the first of the output's is a multiple of the axis size
/// @comm   forward: from Accepts to R: none from I and R, all_gather of x from a Shard; from Features to Gives:
///         none, or all_gather of y.  backward: the duals: I to R costs one all_reduce of x's size
/// @see    arXiv:1909.08053, section 3
template <class T, class Mesh, class Axis, int OutDims = 1, class Accepts = Invariant<Axis>,
          class Gives = Features>
class ColumnParallelLinear {
  static constexpr bool fits = detail::names_its_axis<Axis, Accepts, Gives, true>();

 public:
  using weight_layout = parameter_layout_t<Mesh, Shard<1, Axis>>;
  using bias_layout = parameter_layout_t<Mesh, Shard<0, Axis>>;

  /// @param  out  the output features, OutDims extents
  ColumnParallelLinear(const Mesh& mesh, const std::string& name, std::int64_t in,
                       const std::array<std::int64_t, OutDims>& out, std::uint64_t seed, double deviation)
      : weight_(make(mesh, name, in, out, seed, deviation)), bias_(make_bias(mesh, name, out)) {}

  template <class X>
  auto operator()(const X& x) const {
    if constexpr (!Tensor<X>) {
      return detail::refused_again(x);
    } else if constexpr (!fits) {
      return refused{};
    } else if constexpr (!detail::is_accepted<Accepts, X>()) {
      return refused{};
    } else {
      auto y = add(matmul(redistribute<Replicate<Axis>>(x), weight_), bias_);  // (..., n/p)
      if constexpr (std::is_same_v<Gives, Features>) {
        return y;
      } else {
        return redistribute<Gives>(y);
      }
    }
  }

  template <class F>
  void visit(F&& f) {
    f(weight_);
    f(bias_);
  }

 private:
  static auto make(const Mesh& mesh, const std::string& name, std::int64_t in,
                   const std::array<std::int64_t, OutDims>& out, std::uint64_t seed, double deviation) {
    detail::expect_features(name, in, out);
    std::int64_t shape[OutDims + 1]{in};
    for (std::size_t i = 0; i < OutDims; ++i) shape[i + 1] = out[i];
    return make_weight<T, Shard<1, Axis>>(mesh, name + ".weight", shape, seed, deviation);
  }
  static auto make_bias(const Mesh& mesh, const std::string& name,
                        const std::array<std::int64_t, OutDims>& out) {
    std::int64_t shape[OutDims]{};
    for (std::size_t i = 0; i < OutDims; ++i) shape[i] = out[i];
    return make_constant<T, Shard<0, Axis>>(mesh, name + ".bias", shape, T(0));
  }

  Parameter<T, OutDims + 1, weight_layout, Mesh> weight_;
  Parameter<T, OutDims, bias_layout, Mesh> bias_;
};

/// A linear layer whose input features are split over an axis.
///
///   y = x W + b,   x = [x_1 ... x_p],  W = [W_1; ...; W_p],   x W = x_1 W_1 + ... + x_p W_p
///
///   x  [...,k@Axis], or as Accepts     W  [k@Axis,n]     b  [n]     y  [...,n] as Gives
///
/// With InDims = 2 the input features are factored, k = (heads, head_dim), and the heads are split.
///
/// @tparam Accepts  Features: already split; Invariant<Axis>: each rank takes its slice
/// @tparam Gives    Invariant<Axis>, Replicate<Axis>, or Shard<d, Axis> of another dim (sequence parallel)
/// @pre    the extents are at least 1, and the first of the input's is a multiple of the axis size
/// @comm   forward: one all_reduce of y to I or R, one reduce_scatter to a Shard.  backward: from I none, from
///         R all_reduce, from a Shard all_gather; of x to Features where it was I: all_gather
/// @see    arXiv:1909.08053, section 3
template <class T, class Mesh, class Axis, int InDims = 1, class Accepts = Features,
          class Gives = Invariant<Axis>>
class RowParallelLinear {
  static constexpr bool fits = detail::names_its_axis<Axis, Accepts, Gives, false>();

 public:
  using weight_layout = parameter_layout_t<Mesh, Shard<0, Axis>>;
  using bias_placement = typename detail::bias_beside<Axis, Gives>::type;
  using bias_layout = parameter_layout_t<Mesh, bias_placement>;

  /// @param  in  the input features, InDims extents
  RowParallelLinear(const Mesh& mesh, const std::string& name, const std::array<std::int64_t, InDims>& in,
                    std::int64_t out, std::uint64_t seed, double deviation)
      : weight_(make(mesh, name, in, out, seed, deviation)),
        bias_(make_constant<T, bias_placement>(mesh, name + ".bias", {out}, T(0))) {}

  /// @param  residual  none, or one that is added to y in the same pass: [...,n] as Gives
  template <class X, class... Residual>
  auto operator()(const X& x, const Residual&... residual) const {
    if constexpr (!Tensor<X>) {
      return detail::refused_again(x);
    } else if constexpr (!fits) {
      return refused{};
    } else if constexpr (!detail::is_accepted<Accepts, X>()) {
      return refused{};
    } else {
      // P, then as Gives
      return redistribute_add<Gives>(matmul<InDims>(split(x), weight_), bias_, residual...);
    }
  }

  template <class F>
  void visit(F&& f) {
    f(weight_);
    f(bias_);
  }

 private:
  template <class X>
  static auto split(const X& x) {
    if constexpr (std::is_same_v<Accepts, Features>) {
      return x;
    } else {
      return redistribute<Shard<X::ndim - InDims, Axis>>(x);
    }
  }
  static auto make(const Mesh& mesh, const std::string& name, const std::array<std::int64_t, InDims>& in,
                   std::int64_t out, std::uint64_t seed, double deviation) {
    detail::expect_features(name, out, in);
    std::int64_t shape[InDims + 1]{};
    for (std::size_t i = 0; i < InDims; ++i) shape[i] = in[i];
    shape[InDims] = out;
    return make_weight<T, Shard<0, Axis>>(mesh, name + ".weight", shape, seed, deviation);
  }

  Parameter<T, InDims + 1, weight_layout, Mesh> weight_;
  Parameter<T, 1, bias_layout, Mesh> bias_;
};

}  // namespace tpx
