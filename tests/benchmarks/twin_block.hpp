// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <mpi.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include <tpx/core/math.hpp>
#include <tpx/kernel/attention.hpp>
#include <tpx/kernel/norm.hpp>

#include "twin_parts.hpp"

/// A transformer block split over ranks, forward and backward, by hand in MPI and the BLAS.
///
///   n = norm1(x)   a = x + attention(n Wq + bq, n Wk + bk, n Wv + bv) Wo + bo
///   m = norm2(a)   y = a + gelu(m W1 + b1) W2 + b2
///
/// Each rank has a share of the heads and of the features inside the MLP. Sums over ranks: after Wo and W2 in
/// the forward, of the gradients of n and m in the backward. Attention and the norms are the library's kernels
/// on this program's memory, which is taken once; biases and activation run in place.
namespace tpx::benchmark {

struct BlockSize {
  int batch, positions, hidden, heads, ffn;
};

template <class Gemm>
class TwinBlock {
 public:
  /// @param  size    heads and ffn are this rank's
  /// @param  values  this rank's parts, in the order in which tpx::TransformerBlock visits its parameters
  TwinBlock(MPI_Comm world, BlockSize size, int head_dim, const std::vector<float>& x_,
            const std::vector<std::vector<float>>& values)
      : world_(world),
        rows_(size.batch * size.positions),
        h_(size.hidden),
        w_(size.heads * head_dim),
        f_(size.ffn),
        shape_{size.batch, size.positions, size.positions, size.heads,
               size.heads, head_dim,       true,           1 / std::sqrt(static_cast<double>(head_dim))},
        x(x_),
        y(x.size()),
        dx(x.size()) {
    if (values.size() != 16) throw std::invalid_argument("TwinBlock: a block has 16 parameters");
    for (const auto& v : values) {
      parameter.emplace_back(v);
      gradient.emplace_back(v.size());
    }
    const std::size_t whole = x.size(), share = count(rows_, w_), inner = count(rows_, f_);
    for (Floats* f : {&n1_, &a_, &n2_, &dy_, &da_, &terms_, &dn_}) *f = Floats(whole);
    for (Floats* f : {&q_, &k_, &v_, &o_, &dq_, &dk_, &dv_, &do_}) *f = Floats(share);
    for (Floats* f : {&u_, &g_, &du_}) *f = Floats(inner);
    for (Floats* f : {&mean1_, &rstd1_, &mean2_, &rstd2_}) *f = Floats(static_cast<std::size_t>(rows_));
    for (Floats* f : {&lse_, &delta_}) *f = Floats(count(rows_, size.heads));
  }

  /// One forward, and one backward of the sum of y's elements.
  void step() {
    forward();
    std::fill_n(dy_.data(), dy_.size(), 1.0F);
    backward();
  }

 private:
  enum { gamma1, beta1, wq, bq, wk, bk, wv, bv, wo, bo, gamma2, beta2, w1, b1, w2, b2 };
  static constexpr CBLAS_TRANSPOSE N = CblasNoTrans, T = CblasTrans;
  float* p(int i) const { return parameter[static_cast<std::size_t>(i)].data(); }
  float* d(int i) const { return gradient[static_cast<std::size_t>(i)].data(); }

  void linear(const Floats& in, int features, int weight, int bias, Floats& out, int width) const {
    Gemm::multiply(N, N, rows_, width, features, in.data(), p(weight), out.data());
    add_to_rows(out.data(), p(bias), rows_, width);
  }

  void forward() {
    kernel::layer_norm(space_, x.data(), p(gamma1), p(beta1), n1_.data(), mean1_.data(), rstd1_.data(), rows_,
                       h_, 1e-5);
    linear(n1_, h_, wq, bq, q_, w_);
    linear(n1_, h_, wk, bk, k_, w_);
    linear(n1_, h_, wv, bv, v_, w_);
    kernel::attention(space_, shape_, q_.data(), k_.data(), v_.data(), o_.data(), lse_.data());
    Gemm::multiply(N, N, rows_, h_, w_, o_.data(), p(wo), terms_.data());
    sum_over_ranks(world_, terms_.data(), a_.data(), a_.size());
    add_bias_and_residual(a_.data(), p(bo), x.data());
    kernel::layer_norm(space_, a_.data(), p(gamma2), p(beta2), n2_.data(), mean2_.data(), rstd2_.data(), rows_,
                       h_, 1e-5);
    linear(n2_, h_, w1, b1, u_, f_);
    for (std::size_t i = 0; i < u_.size(); ++i) g_.data()[i] = gelu(u_.data()[i]);
    Gemm::multiply(N, N, rows_, h_, f_, g_.data(), p(w2), terms_.data());
    sum_over_ranks(world_, terms_.data(), y.data(), y.size());
    add_bias_and_residual(y.data(), p(b2), a_.data());
  }

  void backward() {
    linear_backward(g_, f_, w2, b2, dy_, h_, du_, 0);
    for (std::size_t i = 0; i < u_.size(); ++i) du_.data()[i] *= gelu_slope(u_.data()[i]);
    linear_backward(n2_, h_, w1, b1, du_, f_, terms_, 0);
    sum_over_ranks(world_, terms_.data(), dn_.data(), dn_.size());
    std::copy_n(dy_.data(), dy_.size(), da_.data());
    norm_backward(a_, gamma2, mean2_, rstd2_, da_);
    linear_backward(o_, w_, wo, bo, da_, h_, do_, 0);
    kernel::attention_backward(space_, shape_, q_.data(), k_.data(), v_.data(), o_.data(), lse_.data(),
                               do_.data(), delta_.data(), dq_.data(), dk_.data(), dv_.data());
    linear_backward(n1_, h_, wv, bv, dv_, w_, terms_, 0);
    linear_backward(n1_, h_, wk, bk, dk_, w_, terms_, 1);
    linear_backward(n1_, h_, wq, bq, dq_, w_, terms_, 1);
    sum_over_ranks(world_, terms_.data(), dn_.data(), dn_.size());
    std::copy_n(da_.data(), da_.size(), dx.data());
    norm_backward(x, gamma1, mean1_, rstd1_, dx);
  }

  /// The gradients of linear: of the weight, of the bias, and beta d_in + that of the input.
  void linear_backward(const Floats& in, int features, int weight, int bias, const Floats& d_out, int width,
                       Floats& d_in, float beta) const {
    sum_rows(d_out.data(), d(bias), rows_, width);
    Gemm::multiply(N, T, rows_, features, width, d_out.data(), p(weight), d_in.data(), beta);
    Gemm::multiply(T, N, features, width, rows_, in.data(), d_out.data(), d(weight));
  }

  /// Adds the gradient of the norm, whose result's is dn, to d_in.
  void norm_backward(const Floats& in, int gamma, const Floats& mean, const Floats& rstd, Floats& d_in) const {
    std::fill_n(d(gamma), h_, 0.0F);
    std::fill_n(d(gamma + 1), h_, 0.0F);
    kernel::layer_norm_backward(space_, in.data(), p(gamma), mean.data(), rstd.data(), dn_.data(), d_in.data(),
                                d(gamma), d(gamma + 1), rows_, h_, true);
  }

  void add_bias_and_residual(float* sum, const float* bias, const float* residual) const {
    for (int r = 0; r < rows_; ++r) {
      for (std::size_t i = count(r, h_), c = 0; c < static_cast<std::size_t>(h_); ++i, ++c)
        sum[i] += bias[c] + residual[i];
    }
  }

  static float gelu(float x) {
    return 0.5F * x * (1.0F + math::tanh(0.797884561F * x * (1.0F + 0.044715F * x * x)));
  }
  static float gelu_slope(float x) {
    const float square = 0.044715F * x * x, t = math::tanh(0.797884561F * x * (1.0F + square));
    return 0.5F * (1.0F + t) + 0.5F * x * (1.0F - t * t) * 0.797884561F * (1.0F + 3.0F * square);
  }

  MPI_Comm world_;
  int rows_, h_, w_, f_;
  kernel::AttentionShape shape_;
  Space space_;

 public:
  Floats x, y, dx;
  std::vector<Floats> parameter, gradient;

 private:
  Floats n1_{0}, a_{0}, n2_{0}, dy_{0}, da_{0}, terms_{0}, dn_{0}, q_{0}, k_{0}, v_{0}, o_{0}, dq_{0}, dk_{0},
      dv_{0}, do_{0}, u_{0}, g_{0}, du_{0}, mean1_{0}, rstd1_{0}, mean2_{0}, rstd2_{0}, lse_{0}, delta_{0};
};

}  // namespace tpx::benchmark
