// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/norm.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

TEST_CASE_TEMPLATE("layer_norm, forward and backward", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  constexpr double epsilon = 1e-5;
  for (const auto& shape :
       {std::pair<std::int64_t, std::int64_t>{5, 7}, {3, 200}, {150, 65}, {2, 1}, {0, 8}, {4, 0}}) {
    const std::int64_t rows = shape.first, columns = shape.second;
    CAPTURE(rows);
    CAPTURE(columns);
    auto x = noise(rows * columns, 1);
    for (double& v : x) v += 0.5;
    const auto gamma = noise(columns, 2), beta = noise(columns, 3), dy = noise(rows * columns, 4);
    const auto dx0 = noise(rows * columns, 5), dgamma0 = noise(columns, 6), dbeta0 = noise(columns, 7);
    const auto xf = to<T>(x), gammaf = to<T>(gamma), betaf = to<T>(beta), dyf = to<T>(dy);
    auto y = unset<T>(rows * columns), mean = unset<T>(rows), rstd = unset<T>(rows),
         dx = unset<T>(rows * columns);
    auto dgamma = to<T>(dgamma0), dbeta = to<T>(dbeta0);
    kernel::layer_norm(exec, xf.data(), gammaf.data(), betaf.data(), y.data(), mean.data(), rstd.data(), rows,
                       columns, epsilon);
    kernel::layer_norm_backward(exec, xf.data(), gammaf.data(), mean.data(), rstd.data(), dyf.data(), dx.data(),
                                dgamma.data(), dbeta.data(), rows, columns);
    exec.fence();
    const auto forward = reference::layer_norm(x, gamma, beta, rows, columns, epsilon);
    auto backward = reference::layer_norm_backward(x, gamma, dy, rows, columns, epsilon);
    for (std::size_t c = 0; c < gamma.size(); ++c) {
      backward.dgamma[c] += dgamma0[c];
      backward.dbeta[c] += dbeta0[c];
    }
    CHECK(difference(y, forward.y) < tolerance<T>(16));
    if (columns > 0) {
      CHECK(difference(mean, forward.mean) < tolerance<T>(8));
      CHECK(difference(rstd, forward.rstd) < tolerance<T>(16));
    }
    CHECK(difference(dx, backward.dx) < (columns == 1 ? 1e-3 : tolerance<T>(32)));
    CHECK(difference(dgamma, backward.dgamma) < tolerance<T>(32));
    CHECK(difference(dbeta, backward.dbeta) < tolerance<T>(32));

    dx = to<T>(dx0);
    kernel::layer_norm_backward(exec, xf.data(), gammaf.data(), mean.data(), rstd.data(), dyf.data(), dx.data(),
                                dgamma.data(), dbeta.data(), rows, columns, true);
    exec.fence();
    for (std::size_t i = 0; i < dx0.size(); ++i) backward.dx[i] += dx0[i];
    CHECK(difference(dx, backward.dx) < (columns == 1 ? 1e-3 : tolerance<T>(32)));
  }
}

TEST_CASE("the oracle's layer norm agrees with finite differences") {
  constexpr std::int64_t rows = 3, columns = 6;
  constexpr double epsilon = 1e-5, h = 1e-5;
  const auto x = noise(rows * columns, 1), gamma = noise(columns, 2), beta = noise(columns, 3);
  const auto dy = noise(rows * columns, 4);
  const auto loss = [&](const reference::Array& a, const reference::Array& g, const reference::Array& b) {
    const auto y = reference::layer_norm(a, g, b, rows, columns, epsilon).y;
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  const auto slope = [&](reference::Array v, const auto& f) {
    reference::Array out(v.size());
    for (std::size_t i = 0; i < v.size(); ++i) {
      const double at = v[i];
      v[i] = at + h;
      const double up = f(v);
      v[i] = at - h;
      out[i] = (up - f(v)) / (2 * h);
      v[i] = at;
    }
    return out;
  };
  const auto g = reference::layer_norm_backward(x, gamma, dy, rows, columns, epsilon);
  CHECK(difference(slope(x, [&](const auto& v) { return loss(v, gamma, beta); }), g.dx) < 1e-7);
  CHECK(difference(slope(gamma, [&](const auto& v) { return loss(x, v, beta); }), g.dgamma) < 1e-7);
  CHECK(difference(slope(beta, [&](const auto& v) { return loss(x, gamma, v); }), g.dbeta) < 1e-7);
}
