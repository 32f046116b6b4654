// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <type_traits>

#include <tpx/layout/layout.hpp>
#include <tpx/layout/refusal.hpp>

/// How a model is split over the ranks along an axis: a type that names what each of its parts does. The
/// model's code is the same for every plan; a plan whose parts do not fit each other does not compile.
///
///   struct Mine : TensorParallel<tp> {                       // as Megatron does, ...
///     using gate = Whole; using up = Whole; using down = Whole;   // ... but each rank computes all of the
///     MLPs
///   };
///   auto model = parallelize<Llama, float, Mine>(mesh, config, weights);
namespace tpx {

// How a linear layer is split; of a table of embeddings, whose rows are its input features.
struct Column {};  ///< by its output features
struct Row {};     ///< by its input features: the ranks hold terms of the output
struct Whole {};   ///< not: every rank has it, and computes what it is given

/// Linears whose output is split, then linears whose input is: four all-reduces a block, two each way. The
/// stream of activations that the blocks add to is the same on every rank.
/// @see arXiv:1909.08053
template <class Axis>
struct TensorParallel {
  using axis = Axis;
  /// Where a dim is cut.
  template <int Dim>
  using split = Shard<Dim, Balanced, Axis>;

  using stream = Invariant<Axis>;
  using tables = Row;
  using query = Column;
  using key = Column;
  using value = Column;
  using attention_output = Row;
  using gate = Column;
  using up = Column;
  using down = Row;
  using logits = Column;  ///< where they have a weight of their own, not that of the tables
};

/// The same, and the stream is split over the positions: gathered before what is split otherwise, scattered
/// after it.
/// @see arXiv:2205.05198
template <class Axis>
struct SequenceParallel : TensorParallel<Axis> {
  using stream = typename TensorParallel<Axis>::template split<1>;
};

/// Plan with all key and value heads on every rank: for more ranks than key heads.
template <class Plan>
struct SharedKeys : Plan {
  using key = Whole;
  using value = Whole;
};

namespace detail {

template <class Axis>
constexpr bool is_invariant(Invariant<Axis>*) {
  return true;
}
constexpr bool is_invariant(void*) { return false; }

/// What a value is that the ranks use together with activations in this placement: I beside I, R beside
/// anything else, because then they use it for different work.
template <class Plan, class Placement>
using beside_t = std::conditional_t<is_invariant(static_cast<Placement*>(nullptr)), Placement,
                                    Replicate<typename Plan::axis>>;

/// What the stream becomes before linears of these styles: R where one of them is split, else it stays.
template <class Plan, class... Styles>
using entering_t = std::conditional_t<(std::is_same_v<Styles, Whole> && ...), typename Plan::stream,
                                      Replicate<typename Plan::axis>>;

/// The same where all positions are needed.
template <class Plan, class... Styles>
using entering_whole_t = std::conditional_t<is_invariant(static_cast<entering_t<Plan, Styles...>*>(nullptr)),
                                            entering_t<Plan, Styles...>, Replicate<typename Plan::axis>>;

template <bool fits, class... Facts>
constexpr void a_model_is_split_by_a_plan() {
  static_assert(
      fits,
      "tpx::parallelize: a plan says how a model is split: TensorParallel<tp>, SequenceParallel<tp>, or "
      "a struct with their parts (see given)");
}

/// x after f(block, number, x) for each block; where the plan was refused, refused.
template <class Blocks, class X, class F>
auto through(const Blocks& blocks, X x, F&& f) {
  using Y = decltype(f(blocks[0], std::size_t{0}, x));
  if constexpr (std::is_same_v<Y, refused>) {
    return refused{};
  } else {
    for (std::size_t i = 0; i < blocks.size(); ++i) x = f(blocks[i], i, x);
    return x;
  }
}

}  // namespace detail

/// A model with the parts of Plan: parallelize<Llama, float, SequenceParallel<tp>>(mesh, config, weights).
///
/// @throws tpx::Error, on every rank, as the model's constructor
template <template <class, class, class> class Model, class T, class Plan, class Mesh, class Config,
          class Weights>
auto parallelize(const Mesh& mesh, const Config& config, const Weights& weights) {
  if constexpr (MeshAxis<Plan>) {
    detail::a_model_is_split_by_a_plan<!MeshAxis<Plan>, detail::given<Plan>>();
    return Model<T, Mesh, TensorParallel<Plan>>(mesh, config, weights);
  } else {
    return Model<T, Mesh, Plan>(mesh, config, weights);
  }
}

}  // namespace tpx
