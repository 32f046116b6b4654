// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>

/// The local pieces of cross-entropy over classes that are split over ranks. A rank holds the logits
/// (rows, columns) of the classes first, first + 1, ...; classes from `valid` on are padding and count for
/// nothing. Between the pieces the caller reduces over ranks: the maximum after row_max, the two sums
/// after row_sum_exp.
namespace tpx::kernel {

/// Which classes the columns of a rank are.
struct Classes {
  std::int64_t columns = 0;  ///< of this rank
  std::int64_t first = 0;    ///< the class of its first column
  std::int64_t valid = 0;    ///< number of true classes over all ranks

  /// How many of the rank's columns are true classes; they come first.
  TPX_FUNCTION constexpr std::int64_t used() const {
    const std::int64_t left = valid - first;
    return left < 0 ? 0 : left < columns ? left : columns;
  }
};

namespace impl {

template <class T>
struct RowMax {
  const T* logits;
  Classes classes;
  T* largest;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    constexpr int ways = std::is_same_v<Group, HostGroup> ? 32 : 1;  // running maxima, so that it vectorises
    const T* row = logits + r * classes.columns;
    const std::int64_t used = classes.used();
    T part[ways];
    for (int w = 0; w < ways; ++w) part[w] = -std::numeric_limits<T>::infinity();
    std::int64_t c = group.lane() * ways;
    for (; c + ways <= used; c += group.width() * ways) {
      for (int w = 0; w < ways; ++w) part[w] = part[w] < row[c + w] ? row[c + w] : part[w];
    }
    for (; c < used; ++c) part[0] = part[0] < row[c] ? row[c] : part[0];
    for (int w = 1; w < ways; ++w) part[0] = part[0] < part[w] ? part[w] : part[0];
    const T result = group.max(part[0]);
    if (group.lane() == 0) largest[r] = result;
  }
};

template <class T>
struct RowSumExp {
  const T* logits;
  Classes classes;
  const T* largest;
  const std::int32_t* target;
  T* sum;
  T* target_logit;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const T* row = logits + r * classes.columns;
    const T shift = largest[r];
    const T total =
        group_sum<T>(group, classes.used(), [=](std::int64_t c) { return math::exp(row[c] - shift); });
    if (group.lane() == 0) {
      const std::int64_t column = target[r] - classes.first;
      sum[r] = total;
      target_logit[r] = column >= 0 && column < classes.used() ? row[column] : T(0);
    }
  }
};

template <class T>
struct CrossEntropyFinish {
  const T* largest;
  const T* sum;
  const T* target_logit;
  std::int64_t rows;
  double scale;
  T* loss;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t) const {
    const T *shift = largest, *total_exp = sum, *logit = target_logit;
    const double total = group_sum<double>(group, rows, [=](std::int64_t r) {
      return math::log(static_cast<double>(total_exp[r])) + static_cast<double>(shift[r]) -
             static_cast<double>(logit[r]);
    });
    if (group.lane() == 0) *loss = static_cast<T>(scale * total);
  }
};

template <class T>
struct CrossEntropyGradient {
  const T* logits;
  Classes classes;
  const T* largest;
  const T* sum;
  const std::int32_t* target;
  const T* dloss;
  T scale;
  T* dlogits;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t r) const {
    const T* row = logits + r * classes.columns;
    T* out = dlogits + r * classes.columns;
    const std::int64_t used = classes.used(), hit = target[r] - classes.first;
    const T shift = largest[r], factor = scale * *dloss, weight = factor / sum[r];
    for (std::int64_t c = group.lane(); c < used; c += group.width()) {
      out[c] = math::exp(row[c] - shift) * weight;
    }
    for (std::int64_t c = used + group.lane(); c < classes.columns; c += group.width()) out[c] = T(0);
    group.barrier();
    if (group.lane() == 0 && hit >= 0 && hit < used) out[hit] -= factor;
  }
};

}  // namespace impl

/// largest[r] = the largest logit of a true class of this rank, -infinity where it has none.
template <class T, class Exec>
void row_max(const Exec& exec, const T* logits, std::int64_t rows, const Classes& classes, T* largest) {
  for_groups(exec, "tpx::row_max", rows, impl::RowMax<T>{logits, classes, largest});
}

/// sum[r] = sum of exp(logit - largest[r]) over the true classes of this rank, and the target's logit, 0
/// where the target is another rank's.
///
/// @param  largest  over all ranks
template <class T, class Exec>
void row_sum_exp(const Exec& exec, const T* logits, std::int64_t rows, const Classes& classes, const T* largest,
                 const std::int32_t* target, T* sum, T* target_logit) {
  for_groups(exec, "tpx::row_sum_exp", rows,
             impl::RowSumExp<T>{logits, classes, largest, target, sum, target_logit});
}

/// *loss = scale sum over rows of log(sum) + largest - target_logit; all three over all ranks.
///
/// @post   deterministic; the terms are added in double
template <class T, class Exec>
void cross_entropy_finish(const Exec& exec, const T* largest, const T* sum, const T* target_logit,
                          std::int64_t rows, double scale, T* loss) {
  for_groups(exec, "tpx::cross_entropy_finish", 1,
             impl::CrossEntropyFinish<T>{largest, sum, target_logit, rows, scale, loss});
}

/// dlogits = (softmax(logits) - onehot(target)) scale *dloss; 0 in the padding. dlogits may be logits.
///
/// @param  dloss  one element in the memory of `exec`
template <class T, class Exec>
void cross_entropy_gradient(const Exec& exec, const T* logits, std::int64_t rows, const Classes& classes,
                            const T* largest, const T* sum, const std::int32_t* target, const T* dloss,
                            double scale, T* dlogits) {
  for_groups(exec, "tpx::cross_entropy_gradient", rows,
             impl::CrossEntropyGradient<T>{logits, classes, largest, sum, target, dloss, static_cast<T>(scale),
                                           dlogits});
}

}  // namespace tpx::kernel
