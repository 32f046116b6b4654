// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/kernel/cross_entropy.hpp>
#include <tpx/ops/embedding.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/tensor/collective.hpp>

namespace tpx {

namespace ops {

template <int N>
struct cross_entropy {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = op_rule("... v, ... ->", Linearity::nonlinear, {N, N - 1}, "v", 0b10);
};

}  // namespace ops

namespace detail {

/// Extents rows, columns, first class, true classes; saved logits, targets, and per row the largest logit
/// and the sum of exponentials over all classes.
template <class T, class Mesh>
void cross_entropy_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::ce_bwd");
  const std::int64_t rows = r.extent[0];
  const kernel::Classes classes{r.extent[1], r.extent[2], r.extent[3]};
  const std::int64_t n = rows * classes.columns;
  const auto saved = [&](int i) { return static_cast<const T*>(r.saved[i].template as<T>()); };
  const auto* target = static_cast<const std::int32_t*>(r.saved[1].template as<std::int32_t>());
  const T* dloss = tape.template gradient_of<T>(r.out);
  Buffer dlogits = allocate<T>(tape.mesh(), n);
  tape.mesh().context().launch({4 * n, 2 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::cross_entropy_gradient(exec, saved(0), rows, classes, saved(2), saved(3), target, dloss,
                                   r.scalar[0], dlogits.as<T>());
  });
  tape.template give<T>(r.in[0], std::move(dlogits));
}

}  // namespace detail

/// What cross_entropy may be told beside its operands.
struct CrossEntropyOptions {
  std::int64_t classes = 0;  ///< classes from here on are padding, and count for nothing; 0: there is none
};

/// The mean negative log-likelihood of the targets.
///
///   loss = 1/n sum over i... of  log(sum over c of exp(logits[i..., c])) - logits[i..., target[i...]]
///
/// n is the *global* number of targets, so with the batch split over dp the local sums are terms, and the
/// loss is Partial on dp, right for uneven shards too. Over the axes named in `over` the classes are split;
/// no rank ever holds all logits of a row.
///
///   logits  [b@dp,s,v@tp]     targets  i32 [b@dp,s]    loss  []{P:dp}      cross_entropy<over<tp>>
///   logits  [b@dp,s,v]        targets  i32 [b@dp,s]    loss  []{P:dp}      cross_entropy
///
/// @pre    0 <= target < classes, and there is a target
/// @comm   forward: over the axes of `over` together, one all_reduce (max) of the local rows and one (sum) of
///         twice the local rows; nothing without `over`.  backward: none
/// @throws tpx::Error where the extents differ; where a target is outside, at once on a host space, at
///         TPX_CHECK_LEVEL 2 on a device: on the ranks that hold such a target; the others do not know of it
template <class Over = over<>, Tensor Logits, Tensor Targets>
auto cross_entropy(const Logits& logits, const Targets& targets, CrossEntropyOptions options = {}) {
  constexpr bool numbers = std::is_same_v<typename Targets::element_type, std::int32_t>;
  static_assert(
      numbers, "tpx::cross_entropy: targets are std::int32_t, and come second: cross_entropy(logits, targets)");
  constexpr bool classes_follow = Logits::ndim == Targets::ndim + 1;
  static_assert(!numbers || classes_follow,
                "tpx::cross_entropy: logits have one dim more than targets: classes");
  using Op = ops::cross_entropy<Logits::ndim>;
  if constexpr (!numbers || !classes_follow) {
    return refused{};
  } else if constexpr (!detail::admits<Op, Over, Logits, Targets>()) {
    return refused{};
  } else {
    using T = typename Logits::element_type;
    using Mesh = typename Logits::mesh_type;
    const detail::Region region("tpx::cross_ent");
    const Mesh& mesh = logits.mesh();
    for (int d = 0; d < Targets::ndim; ++d)
      TPX_EXPECTS(logits.extent(d) == targets.extent(d), logits.describe(), targets.describe());
    const std::int64_t all = logits.extent(Logits::ndim - 1);
    const std::int64_t valid = options.classes == 0 ? all : options.classes;
    TPX_EXPECTS(1 <= valid && valid <= all, valid, all);
    const std::int64_t rows = targets.local_count();
    const Piece held = logits.distribution().piece(Logits::ndim - 1);
    const kernel::Classes classes{held.extent, held.offset, valid};
    TPX_EXPECTS(targets.shape().count() >= 1, targets.describe(), "the mean of no targets is no number");
    const double mean = 1.0 / static_cast<double>(targets.shape().count());
    const auto* target = static_cast<const std::int32_t*>(targets.data());
    detail::check_ids(mesh, target, rows, valid);

    auto loss = detail::make_result<Op, T, 0, Over>(Shape{}, logits, targets);
    Buffer largest = detail::allocate<T>(mesh, rows);
    Buffer sums = detail::allocate<T>(mesh, 2 * rows);  // of exponentials, then the targets' logits
    T* const max = largest.as<T>();
    T* const sum = sums.as<T>();
    T* const chosen = Mesh::context_type::has_memory ? sum + rows : nullptr;
    const T* x = logits.data();
    const std::int64_t n = rows * held.extent;
    constexpr unsigned axes = detail::mask_of<Over, typename Mesh::axes>;

    mesh.context().launch({n, n * std::int64_t{sizeof(T)}},
                          [&](const auto& exec) { kernel::row_max(exec, x, rows, classes, max); });
    if constexpr (axes != 0) detail::all_reduce(mesh, axes, max, max, rows, comm::Reduction::max);
    mesh.context().launch({3 * n, n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::row_sum_exp(exec, x, rows, classes, static_cast<const T*>(max), target, sum, chosen);
    });
    if constexpr (axes != 0) detail::all_reduce(mesh, axes, sum, sum, 2 * rows);
    mesh.context().launch({3 * rows, 3 * rows * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::cross_entropy_finish(exec, static_cast<const T*>(max), static_cast<const T*>(sum),
                                   static_cast<const T*>(chosen), rows, mean, loss.data());
    });
    return detail::record(
        std::move(loss), &detail::cross_entropy_backward<T, Mesh>,
        [&](auto& r) {
          r.saved[0] = logits.shard();
          r.saved[1] = targets.shard();
          r.saved[2] = largest;
          r.saved[3] = sums;
          r.extent[0] = rows;
          r.extent[1] = held.extent;
          r.extent[2] = held.offset;
          r.extent[3] = valid;
          r.scalar[0] = mean;
        },
        logits, targets);
  }
}

template <class Over = over<>, class Targets>
refused cross_entropy(refused, const Targets&, CrossEntropyOptions = {}) {
  return {};
}

}  // namespace tpx
