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

#include <tpx/kernel/gemm.hpp>

#include "benchmark.hpp"

/// What the hand-written programs are made of: memory, MPI, a GEMM and plain loops.
namespace tpx::benchmark {

/// Floats on a cache line of their own.
class Floats {
 public:
  explicit Floats(std::size_t n)
      : size_(n), data_(static_cast<float*>(std::aligned_alloc(64, n / 16 * 64 + 64))) {
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

inline std::size_t count(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

/// c (m, n) = op(a) (m, k) op(b) (k, n) + beta c, by the BLAS.
struct Blas {
  static void multiply(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a,
                       const float* b, float* c, float beta = 0) {
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0F, a, ta == CblasTrans ? m : k, b, tb == CblasTrans ? k : n,
                beta, c, n);
  }
};

/// The same by the kernels of tpx, so that what is left to compare is not who multiplies faster.
struct SameGemm {
  static void multiply(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a,
                       const float* b, float* c, float beta = 0) {
    static const Space space;
    kernel::gemm(space, kernel::Transpose{ta == CblasTrans}, kernel::Transpose{tb == CblasTrans}, m, n, k, 1, a,
                 b, beta, c);
  }
};

inline void sum_over_ranks(MPI_Comm world, const float* terms, float* sum, std::size_t n) {
  if (MPI_Allreduce(terms, sum, static_cast<int>(n), MPI_FLOAT, MPI_SUM, world) != MPI_SUCCESS)
    throw std::runtime_error("twin: MPI_Allreduce failed");
}

inline void add_to_rows(float* x, const float* b, int rows, int columns) {
  for (int r = 0; r < rows; ++r) {
    float* row = x + count(r, columns);
    for (int c = 0; c < columns; ++c) row[c] += b[c];
  }
}

/// b = the sum of x's rows, 64 columns at a time in registers
inline void sum_rows(const float* x, float* b, int rows, int columns) {
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

}  // namespace tpx::benchmark
