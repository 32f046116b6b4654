// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>

#include <tpx/core/math.hpp>
#include <tpx/kernel/group.hpp>

/// Softmax and log-sum-exp over the middle one of three dims, in steps between which a caller reduces over
/// ranks: the maximum after line_max, the sum after line_sum_exp, the inner product after line_dot. A *line* is
/// what the middle dim runs along: number l is x[l / inner, :, l % inner].
namespace tpx::kernel {

/// x lies as (outer, n, inner).
struct Lines {
  std::int64_t outer = 1, n = 1, inner = 1;
  TPX_FUNCTION constexpr std::int64_t count() const { return outer * inner; }
  /// Where a line's first element is; the next ones follow `inner` apart.
  TPX_FUNCTION constexpr std::int64_t first(std::int64_t line) const {
    return line / inner * n * inner + line % inner;
  }
};

namespace impl {

/// What is subtracted before exp: a line of nothing but -infinity has exponentials 0, not NaN.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION T shift_of(T largest) {
  return largest == -std::numeric_limits<T>::infinity() ? T(0) : largest;
}

/// The same of a sum of exponentials, which is +infinity where an element is.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION T finite_or_zero(T largest) {
  return largest == std::numeric_limits<T>::infinity() ? T(0) : shift_of(largest);
}

template <class T>
struct LineMax {
  const T* x;
  Lines lines;
  T* largest;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t l) const {
    const T* at = x + lines.first(l);
    T most = -std::numeric_limits<T>::infinity();
    for (std::int64_t i = group.lane(); i < lines.n; i += group.width())
      most = most < at[i * lines.inner] ? at[i * lines.inner] : most;
    most = group.max(most);
    if (group.lane() == 0) largest[l] = most;
  }
};

template <class T>
struct LineSumExp {
  const T* x;
  Lines lines;
  const T* largest;
  T* sum;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t l) const {
    const T* at = x + lines.first(l);
    const T shift = finite_or_zero(largest[l]);
    const std::int64_t step = lines.inner;
    const T total =
        group_sum<T>(group, lines.n, [=](std::int64_t i) { return math::exp(at[i * step] - shift); });
    if (group.lane() == 0) sum[l] = total;
  }
};

template <class T>
struct SoftmaxFinish {
  const T* x;
  Lines lines;
  const T* largest;
  const T* sum;
  T* y;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t l) const {
    const std::int64_t first = lines.first(l);
    const T shift = shift_of(largest[l]);
    // An infinite sum makes all of the line NaN.
    const T factor = sum[l] == T(0) ? T(0) : T(1) / sum[l] + (sum[l] - sum[l]);
    for (std::int64_t i = group.lane(); i < lines.n; i += group.width()) {
      const std::int64_t at = first + i * lines.inner;
      y[at] = math::exp(x[at] - shift) * factor;
    }
  }
};

template <class T>
struct LineDot {
  const T* x;
  const T* y;
  Lines lines;
  T* dot;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t l) const {
    const T *a = x + lines.first(l), *b = y + lines.first(l);
    const std::int64_t step = lines.inner;
    const T total = group_sum<T>(group, lines.n, [=](std::int64_t i) { return a[i * step] * b[i * step]; });
    if (group.lane() == 0) dot[l] = total;
  }
};

template <class T>
struct SoftmaxGradient {
  const T* y;
  const T* dy;
  Lines lines;
  const T* dot;
  T* dx;
  bool accumulate;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t l) const {
    const std::int64_t first = lines.first(l);
    for (std::int64_t i = group.lane(); i < lines.n; i += group.width()) {
      const std::int64_t at = first + i * lines.inner;
      const T gradient = y[at] * (dy[at] - dot[l]);
      dx[at] = accumulate ? dx[at] + gradient : gradient;
    }
  }
};

template <class T>
struct LogSumExpFinish {
  const T* largest;
  const T* sum;
  T* y;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t l) const {
    y[l] = finite_or_zero(largest[l]) + math::log(sum[l]);
  }
};

template <class T>
struct LogSumExpGradient {
  const T* x;
  const T* y;
  const T* dy;
  Lines lines;
  T* dx;
  bool accumulate;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t l) const {
    const std::int64_t first = lines.first(l);
    const T shift = shift_of(y[l]);
    for (std::int64_t i = group.lane(); i < lines.n; i += group.width()) {
      const std::int64_t at = first + i * lines.inner;
      const T gradient = math::exp(x[at] - shift) * dy[l];
      dx[at] = accumulate ? dx[at] + gradient : gradient;
    }
  }
};

}  // namespace impl

/// largest[l] = the largest element of line l, -infinity where it has none.
template <class T, class Exec>
void line_max(const Exec& exec, const T* x, const Lines& lines, T* largest) {
  for_groups(exec, "tpx::line_max", lines.count(), impl::LineMax<T>{x, lines, largest});
}

/// sum[l] = the sum of exp(x - largest[l]) along line l, +infinity where an element is.
///
/// @param  largest  over all ranks
template <class T, class Exec>
void line_sum_exp(const Exec& exec, const T* x, const Lines& lines, const T* largest, T* sum) {
  for_groups(exec, "tpx::line_sum_exp", lines.count(), impl::LineSumExp<T>{x, lines, largest, sum});
}

/// y = exp(x - largest) / sum, 0 along a line of nothing but -infinity, NaN along one with +infinity; both over
/// all ranks.
template <class T, class Exec>
void softmax_finish(const Exec& exec, const T* x, const Lines& lines, const T* largest, const T* sum, T* y) {
  for_groups(exec, "tpx::softmax_finish", lines.count(), impl::SoftmaxFinish<T>{x, lines, largest, sum, y});
}

/// dot[l] = the sum of x y along line l.
template <class T, class Exec>
void line_dot(const Exec& exec, const T* x, const T* y, const Lines& lines, T* dot) {
  for_groups(exec, "tpx::line_dot", lines.count(), impl::LineDot<T>{x, y, lines, dot});
}

/// dx (+)= y (dy - dot), dot the sum of y dy over all ranks.
template <class T, class Exec>
void softmax_gradient(const Exec& exec, const T* y, const T* dy, const Lines& lines, const T* dot, T* dx,
                      bool accumulate = false) {
  for_groups(exec, "tpx::softmax_gradient", lines.count(),
             impl::SoftmaxGradient<T>{y, dy, lines, dot, dx, accumulate});
}

/// y[l] = largest[l] + log(sum[l]), both over all ranks; `lines` of them.
template <class T, class Exec>
void log_sum_exp_finish(const Exec& exec, const T* largest, const T* sum, std::int64_t lines, T* y) {
  for_each(exec, "tpx::log_sum_exp_finish", lines, impl::LogSumExpFinish<T>{largest, sum, y});
}

/// dx (+)= exp(x - y) dy, y the log-sum-exp of each line.
template <class T, class Exec>
void log_sum_exp_gradient(const Exec& exec, const T* x, const T* y, const T* dy, const Lines& lines, T* dx,
                          bool accumulate = false) {
  for_groups(exec, "tpx::log_sum_exp_gradient", lines.count(),
             impl::LogSumExpGradient<T>{x, y, dy, lines, dx, accumulate});
}

}  // namespace tpx::kernel
