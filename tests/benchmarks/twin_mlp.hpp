// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cblas.h>
#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include <tpx/core/math.hpp>

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

/// Floats on a cache line of their own.
class Floats {
 public:
  explicit Floats(std::size_t n)
      : size_(n), data_(static_cast<float*>(std::aligned_alloc(64, (4 * n + 63) / 64 * 64))) {
    if (data_ == nullptr) throw std::bad_alloc();
    std::fill_n(data_.get(), n, 0.0F);  // touches the pages
  }
  explicit Floats(const std::vector<float>& values) : Floats(values.size()) {
    std::copy(values.begin(), values.end(), data_.get());
  }
  float* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::size_t size_;
  std::unique_ptr<float[], Free> data_;
};

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
  static std::size_t count(int rows, int columns) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  }

  void forward() {
    multiply(CblasNoTrans, CblasNoTrans, m_, f_, k_, x.data(), w1.data(), h_.data());
    add_to_rows(h_.data(), b1.data(), m_, f_);
    gelu(h_.data(), a_.data(), h_.size());
    multiply(CblasNoTrans, CblasNoTrans, m_, k_, f_, a_.data(), w2.data(), terms_.data());
    sum_over_ranks(terms_.data(), y.data(), y.size());
    add_to_rows(y.data(), b2.data(), m_, k_);
  }

  void backward() {
    sum_rows(dy_.data(), db2.data(), m_, k_);
    multiply(CblasNoTrans, CblasTrans, m_, f_, k_, dy_.data(), w2.data(), da_.data());
    multiply(CblasTrans, CblasNoTrans, f_, k_, m_, a_.data(), dy_.data(), dw2.data());
    gelu_backward(h_.data(), da_.data(), da_.size());  // da becomes dh
    sum_rows(da_.data(), db1.data(), m_, f_);
    multiply(CblasNoTrans, CblasTrans, m_, k_, f_, da_.data(), w1.data(), terms_.data());
    multiply(CblasTrans, CblasNoTrans, k_, f_, m_, x.data(), da_.data(), dw1.data());
    sum_over_ranks(terms_.data(), dx.data(), dx.size());
  }

  /// c (m, n) = op(a) (m, k) op(b) (k, n)
  static void multiply(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a,
                       const float* b, float* c) {
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0F, a, ta == CblasTrans ? m : k, b, tb == CblasTrans ? k : n,
                0.0F, c, n);
  }

  void sum_over_ranks(const float* terms, float* sum, std::size_t n) const {
    if (MPI_Allreduce(terms, sum, static_cast<int>(n), MPI_FLOAT, MPI_SUM, world_) != MPI_SUCCESS)
      throw std::runtime_error("TwinMlp: MPI_Allreduce failed");
  }

  static void add_to_rows(float* x, const float* b, int rows, int columns) {
    for (int r = 0; r < rows; ++r) {
      float* row = x + count(r, columns);
      for (int c = 0; c < columns; ++c) row[c] += b[c];
    }
  }

  /// b = the sum of x's rows, 64 columns at a time in registers
  static void sum_rows(const float* x, float* b, int rows, int columns) {
    constexpr int width = 64;
    int first = 0;
    for (; first + width <= columns; first += width) {
      float sum[width] = {};
      for (int r0 = 0; r0 < rows; r0 += 64) {  // in parts, which keeps the rounding error small
        float part[width] = {};
        for (int r = r0; r < std::min(r0 + 64, rows); ++r) {
          for (int c = 0; c < width; ++c) part[c] += x[count(r, columns) + static_cast<std::size_t>(first + c)];
        }
        for (int c = 0; c < width; ++c) sum[c] += part[c];
      }
      std::copy_n(sum, width, b + first);
    }
    for (; first < columns; ++first) {
      float sum = 0;
      for (int r = 0; r < rows; ++r) sum += x[count(r, columns) + static_cast<std::size_t>(first)];
      b[first] = sum;
    }
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
