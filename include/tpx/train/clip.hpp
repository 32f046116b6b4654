// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/optimizer.hpp>
#include <tpx/kernel/reduce.hpp>
#include <tpx/tensor/host_copy.hpp>
#include <tpx/train/gradients.hpp>

namespace tpx {

namespace detail {

template <bool fits, class... Facts>
constexpr void a_norm_names_its_axes() {
  static_assert(fits,
                "tpx::clip_grad_norm: a gradient that is sharded on an axis has its squares on all of the "
                "axis's ranks: name the axis in over<...> (see on, over)");
}
template <unsigned missing, class List, class Over>
constexpr void check_norm_axes() {
  if constexpr (missing != 0)
    a_norm_names_its_axes<false, on<axis_at_t<std::countr_zero(missing), List>>, Over>();
}

}  // namespace detail

/// A gradient norm and the factor that keeps it within a limit, both in the execution space's memory.
template <class T, class Mesh>
class ClippedNorm {
 public:
  ClippedNorm(const Mesh& mesh, Buffer sum_squares, Buffer factor)
      : mesh_(mesh), sum_squares_(std::move(sum_squares)), factor_(std::move(factor)) {}

  /// The norm before clipping. Waits for the kernels.  @comm none
  double norm() const {
    double squares = 0;
    detail::copy_to_host(mesh_, static_cast<const double*>(sum_squares_.template as<double>()), &squares, 1);
    return std::sqrt(squares);
  }
  /// What gradients are to be multiplied by: one element.
  const T* factor() const { return factor_.template as<T>(); }

 private:
  Mesh mesh_;
  Buffer sum_squares_;
  Buffer factor_;
};

namespace detail {

/// Elements of a gradient as the norm sees them.
template <class T>
struct NormPiece {
  const T* gradient;
  std::int64_t count;
  unsigned same_on;  ///< axes on which all ranks hold them
};

/// Adds up the squares of all gradients over the axes of `summed`, whose mesh is the gradients' own or one with
/// more axes. Of ranks with the same gradient the first one along each axis of `over` counts it.
template <class T, class Mesh, class Summed>
ClippedNorm<T, Mesh> clipped_norm(const std::vector<NormPiece<T>>& pieces, const Mesh& mesh, unsigned over,
                                  const Summed& summed, unsigned summed_over, double largest) {
  const Region region("tpx::clip_norm");
  Buffer squares = allocate<double>(mesh, 1);
  Buffer factor = allocate<T>(mesh, 1);
  double* const sum = squares.as<double>();
  mesh.context().launch({}, [&](const auto& exec) { kernel::fill(exec, sum, 1, 0.0); });
  for (const NormPiece<T>& piece : pieces) {
    bool counts = true;
    for (int a = 0; a < mesh.grid().axes; ++a)
      if ((piece.same_on & over) >> a & 1u) counts = counts && mesh.grid().coordinate[a] == 0;
    if (!counts) continue;
    mesh.context().launch({2 * piece.count, piece.count * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::sum_squares_accumulate(exec, piece.gradient, piece.count, sum);
    });
  }
  if (summed_over != 0) all_reduce(summed, summed_over, static_cast<const double*>(sum), sum, 1);
  mesh.context().launch({}, [&](const auto& exec) {
    kernel::clip_factor(exec, static_cast<const double*>(sum), largest, factor.as<T>());
  });
  return {mesh, std::move(squares), std::move(factor)};
}

/// Whole gradients; of a parameter's copies on several pipeline ranks one counts.
template <class T>
std::vector<NormPiece<T>> norm_pieces(const std::vector<ParameterSlot>& slots) {
  std::vector<NormPiece<T>> pieces;
  for (const ParameterSlot& slot : slots)
    if (slot.state->counts) pieces.push_back({slot.state->gradient.template as<T>(), slot.count, slot.same_on});
  return pieces;
}

/// The axes of `Over` as a mask of the mesh that a model is on, after checking that the whole mesh has all and
/// that none is missing.
template <class Over, class Whole, class Model>
unsigned norm_axes(Model& model) {
  using Axes = typename Model::mesh_type::axes;
  constexpr unsigned over = mask_of<Over, Axes>;
  if constexpr (check_over<Over, typename Whole::axes>())
    model.visit([]<class P>(P&) { check_norm_axes<(axes_in(P::spec, Kind::shard) & ~over), Axes, Over>(); });
  return over;
}

template <class G>
inline constexpr bool is_unreduced = false;
template <class Model>
inline constexpr bool is_unreduced<Gradients<Model>> = true;
template <class G>
inline constexpr bool is_gradients = is_unreduced<G>;
template <class Model>
inline constexpr bool is_gradients<ReducedGradients<Model>> = true;

}  // namespace detail

/// As clip_grad_norm below, where a model is spread over an axis that its own mesh does not have: the parts of
/// all pipeline ranks add up to one norm. A parameter that two of them have counts once.
///
///   clip_grad_norm<over<dp, pp, tp>>(reduced, stage, 1.0, mesh)
///
/// @param  mesh  the whole one, with all axes that are named
/// @comm   one all_reduce of 1 f64 over all axes in `over` together
template <class Over, class Model, class Whole>
auto clip_grad_norm(const ReducedGradients<Model>& gradients, Model& model, double largest, const Whole& mesh) {
  const unsigned over = detail::norm_axes<Over, Whole>(model);
  using T = typename Model::element_type;
  return detail::clipped_norm<T>(detail::norm_pieces<T>(gradients.slots()), gradients.mesh(), over, mesh,
                                 detail::mask_of<Over, typename Whole::axes>, largest);
}

/// The norm of all gradients of a model as one vector, and the factor that scales it to at most `largest`.
///
///   norm^2 = sum over parameters and elements of g^2,   factor = min(1, largest / (norm + 1e-6))
///
/// The squares of a gradient that is Shard on an axis are Partial there; one that is the same on all ranks
/// counts once. All parameters add up to one number. Gradients that are no finite numbers make a norm that is
/// none, and are not scaled away: norm() tells.
///
/// @pre    every axis on which a parameter is sharded is named
/// @comm   one all_reduce of 1 f64 over all axes in `over` together
/// @see    arXiv:1211.5063
template <class Over, class Model>
auto clip_grad_norm(const ReducedGradients<Model>& gradients, Model& model, double largest) {
  return clip_grad_norm<Over>(gradients, model, largest, gradients.mesh());
}

template <class Over, class Model, class... Whole>
refused clip_grad_norm(const Gradients<Model>&, Model&, double, const Whole&...) {
  detail::gradients_are_reduced_before_use<false, detail::model<Model>, Whole...>();
  return {};
}
template <class G, class Model, class... Whole>
requires(detail::is_gradients<G>) refused clip_grad_norm(const G&, Model&, double, const Whole&...) {
  if constexpr (detail::is_unreduced<G>)
    detail::gradients_are_reduced_before_use<false, detail::model<Model>, Whole...>();
  else
    detail::reduce_names_its_axes<false, detail::model<Model>, Whole...>();
  return {};
}
template <class Over, class Model, class... Whole>
refused clip_grad_norm(refused, Model&, double, const Whole&...) {
  return {};
}

}  // namespace tpx
