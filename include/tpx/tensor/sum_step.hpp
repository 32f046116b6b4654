// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include <tpx/kernel/sum_rows.hpp>
#include <tpx/tensor/run_plan.hpp>

namespace tpx::detail {

/// What is added to a sum over ranks.
template <class T>
struct Added {
  const T* bias = nullptr;      ///< (columns), to each row
  const T* residual = nullptr;  ///< as large as the result
  bool has_bias = false;        ///< which an abstract mesh cannot tell from the pointers
  bool has_residual = false;
  std::int64_t columns = 0;  ///< product of the result's last extents: those of the bias, if there is one
  int row_dims = 0;          ///< its dims before them
};

/// A step from Partial sums, to whose result more is added in the pass that sums. Where the ranks read one
/// another's memory, that pass is the collective: after an all-reduce each rank has added to its part of the
/// rows only, and put it into the results of all. Elsewhere the collective comes first, and one pass after it.
template <class T, class Mesh>
class SumStep : public StepRunner<T, Mesh> {
  using Base = StepRunner<T, Mesh>;
  static constexpr bool reads_peers = requires(const typename Mesh::communicator_type& c) {
    c.symmetric_memory();
  };
  // What is less passes through slots sooner than the ranks have told where it lies.
  static constexpr std::int64_t least_in_place = 8 * 1024;

 public:
  /// Whether a plan is one such step.
  static constexpr bool is_all_of(const Plan& plan) {
    if (plan.count != 1 || !std::is_floating_point_v<T>) return false;
    const Step& step = plan.step[0];
    if (step.move != Move::all_reduce && step.move != Move::reduce_scatter) return false;
    for (int a = 0; a < max_axes; ++a)
      if ((step.axes >> a & 1u) != 0 && step.from[a].reduction != Reduction::sum) return false;
    return true;
  }

  using Base::Base;

  /// @comm the step's
  Buffer run(Buffer in, const Added<T>& added) {
    if (!step_moves(this->mesh_, this->step_)) return add(std::move(in), added);
    if constexpr (reads_peers) {
      if (this->mesh_.grid().ranks(this->step_.axes) <= kernel::RowSum<T>::most) {
        Buffer out = this->step_.move == Move::all_reduce ? all_reduce_in_place(in, added)
                                                          : reduce_scatter_in_place(in, added);
        if (out) return out;
      }
    }
    return add(Base::run(std::move(in)), added);
  }

 private:
  std::int64_t bytes(std::int64_t count) const { return count * std::int64_t{sizeof(T)}; }

  /// The result in one pass over what the collective left.
  Buffer add(Buffer in, const Added<T>& added) {
    Buffer out = in.unique() ? in : this->memory(this->after_.count());
    kernel::RowSum<T> sum = sum_of(added);
    sum.term[0] = in.template as<T>();
    sum.result[0] = out.template as<T>();
    sum.terms = sum.results = 1;
    launch(added, [&](const auto& exec) { kernel::sum_rows(exec, sum, rows(added)); });
    return out;
  }

  /// Empty where the collective has to do it.
  Buffer all_reduce_in_place(const Buffer& in, const Added<T>& added) {
    const std::int64_t n = this->before_.count();
    // Of little every rank reads all terms at once, so the sums must lie elsewhere.
    Buffer out = in.unique() && bytes(n) > 64 * 1024 ? in : this->memory(n);
    const Region region("tpx::all_reduce");
    before_host_reads(this->mesh_);
    const auto& group = this->mesh_.communicator(this->step_.axes);
    const bool done = group.sum_in_place(
        in.template as<T>(), out.template as<T>(), n, element_v<T>,
        [&](std::span<const void* const> terms, std::span<void* const> results) {
          kernel::RowSum<T> sum = sum_of(added);
          for (const void* term : terms) sum.term[sum.terms++] = static_cast<const T*>(term);
          for (void* result : results) sum.result[sum.results++] = static_cast<T*>(result);
          const std::int64_t all = rows(added),
                             share = sum.results == 1 ? all : (all + sum.terms - 1) / sum.terms;
          const std::int64_t first = sum.results == 1 ? 0 : std::min(all, group.rank() * share);
          launch(added, [&](const auto& exec) {
            kernel::sum_rows(exec, sum.from(first), std::min(share, all - first));
          });
          this->mesh_.context().fence();  // whose end tells the others that the sums are there
        });
    return done ? out : Buffer();
  }

  Buffer reduce_scatter_in_place(const Buffer& in, const Added<T>& added) {
    const int d = this->step_.to[this->axis_].dim;
    const Shape &before = this->before_, &after = this->after_;
    const std::int64_t outer = after.count(0, d), theirs = before.count(d, before.ndim()),
                       ours = after.count(d, after.ndim()), inner = after.count(d + 1, after.ndim());
    // The same on every rank: whole rows are what is split, and it is enough of them.
    if (d >= added.row_dims || bytes(before.count()) <= this->ranks_ * least_in_place) return {};
    const std::int64_t start = (this->to_.piece(d).offset - this->from_.piece(d).offset) * inner;
    Buffer out = this->memory(after.count());
    const bool done =
        read_in_place<T>(this->mesh_, this->step_.axes, comm::Collective::reduce_scatter, in.template as<T>(),
                         before.count(), before.count(), true, [&](std::span<const void* const> shards) {
                           kernel::RowSum<T> sum = sum_of(added);
                           sum.terms = static_cast<int>(shards.size());
                           sum.results = 1;
                           launch(added, [&](const auto& exec) {
                             for (std::int64_t o = 0; o < outer; ++o) {
                               for (std::size_t k = 0; k < shards.size(); ++k)
                                 sum.term[k] = static_cast<const T*>(shards[k]) + o * theirs + start;
                               sum.result[0] = out.template as<T>() + o * ours;
                               if (added.has_residual) sum.residual = added.residual + o * ours;
                               kernel::sum_rows(exec, sum, ours / added.columns);
                             }
                           });
                         });
    return done ? out : Buffer();
  }

  static kernel::RowSum<T> sum_of(const Added<T>& added) {
    kernel::RowSum<T> sum;
    sum.bias = added.bias;
    sum.residual = added.residual;
    sum.columns = added.columns;
    return sum;
  }

  std::int64_t rows(const Added<T>& added) const {
    return added.columns == 0 ? 0 : this->after_.count() / added.columns;
  }

  /// The same work wherever it is done.
  template <class Kernels>
  void launch(const Added<T>& added, Kernels&& kernels) {
    const std::int64_t n = this->after_.count();
    const int operands = 1 + int{added.has_bias} + int{added.has_residual};
    this->mesh_.context().launch({(operands - 1) * n, operands * bytes(n)}, kernels);
  }
};

}  // namespace tpx::detail
