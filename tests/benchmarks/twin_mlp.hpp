// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include <tpx/core/math.hpp>

#include "twin_parts.hpp"

/// A feed-forward block split over ranks, forward and backward, as one writes it by hand in C++ with MPI and
/// the BLAS: what tpx has to be as fast as, and what it spares its users.
///
///   h = x W1 + b1      a = gelu(h)      y = a W2 + b2
///
/// Rank r of p has columns [r f/p, (r+1) f/p) of W1 and b1 and the same rows of W2; x, b2, y are whole on
/// every rank. Sums over ranks: y in the forward, dx in the backward. Who writes this has to know both, and
/// that b2 is added after the sum, once.
///
/// Memory is taken once; bias and activation run in place where that is possible. The scalar erf and exp are
/// tpx's, because the standard library's do not vectorise.
namespace tpx::benchmark {

template <class Gemm>
class TwinMlp {
 public:
  /// This rank's parts of the values, row-major.  @pre hidden and ffn_local are those of the parts
  TwinMlp(MPI_Comm world, int rows, int hidden, int ffn_local, const std::vector<float>& x_,
          const std::vector<float>& w1_, const std::vector<float>& b1_, const std::vector<float>& w2_,
          const std::vector<float>& b2_)
      : world_(world),
        m_(rows),
        k_(hidden),
        f_(ffn_local),
        x(x_),
        w1(w1_),
        b1(b1_),
        w2(w2_),
        b2(b2_),
        y(x.size()),
        dx(x.size()),
        dw1(w1.size()),
        db1(b1.size()),
        dw2(w2.size()),
        db2(b2.size()),
        h_(count(m_, f_)),
        a_(count(m_, f_)),
        da_(count(m_, f_)),
        dy_(x.size()),
        terms_(x.size()) {}

  /// One forward, and one backward of the sum of y's elements.
  void step() {
    forward();
    std::fill_n(dy_.data(), dy_.size(), 1.0F);
    backward();
  }

 private:
  void forward() {
    Gemm::multiply(CblasNoTrans, CblasNoTrans, m_, f_, k_, x.data(), w1.data(), h_.data());
    add_to_rows(h_.data(), b1.data(), m_, f_);
    gelu(h_.data(), a_.data(), h_.size());
    Gemm::multiply(CblasNoTrans, CblasNoTrans, m_, k_, f_, a_.data(), w2.data(), terms_.data());
    sum_over_ranks(world_, terms_.data(), y.data(), y.size());
    add_to_rows(y.data(), b2.data(), m_, k_);
  }

  void backward() {
    sum_rows(dy_.data(), db2.data(), m_, k_);
    Gemm::multiply(CblasNoTrans, CblasTrans, m_, f_, k_, dy_.data(), w2.data(), da_.data());
    Gemm::multiply(CblasTrans, CblasNoTrans, f_, k_, m_, a_.data(), dy_.data(), dw2.data());
    gelu_backward(h_.data(), da_.data(), da_.size());  // da becomes dh
    sum_rows(da_.data(), db1.data(), m_, f_);
    Gemm::multiply(CblasNoTrans, CblasTrans, m_, k_, f_, da_.data(), w1.data(), terms_.data());
    Gemm::multiply(CblasTrans, CblasNoTrans, k_, f_, m_, x.data(), da_.data(), dw1.data());
    sum_over_ranks(world_, terms_.data(), dx.data(), dx.size());
  }

  static void gelu(const float* x, float* y, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) y[i] = 0.5F * x[i] * (1.0F + math::erf(x[i] * 0.707106781F));
  }

  /// dy *= gelu'(x)
  static void gelu_backward(const float* x, float* dy, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      const float distribution = 0.5F * (1.0F + math::erf(x[i] * 0.707106781F));
      dy[i] *= distribution + x[i] * 0.398942280F * math::exp(-0.5F * x[i] * x[i]);
    }
  }

  MPI_Comm world_;
  int m_, k_, f_;

 public:
  Floats x, w1, b1, w2, b2;
  Floats y, dx, dw1, db1, dw2, db2;

 private:
  Floats h_, a_, da_, dy_, terms_;
};

}  // namespace tpx::benchmark
