// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "kernel_test.hpp"

using namespace kernel_test;

// The oracle is itself held against central finite differences: the operations that no kernel's test does.

namespace {

/// d(sum of weight * f(x)) / dx.
template <class Function>
reference::Array slope(reference::Array x, const reference::Array& weight, const Function& f) {
  constexpr double h = 1e-4;
  reference::Array out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + h;
    const auto up = f(x);
    x[i] = at - h;
    const auto down = f(x);
    x[i] = at;
    for (std::size_t j = 0; j < up.size(); ++j) out[i] += weight[j] * (up[j] - down[j]) / (2 * h);
  }
  return out;
}

}  // namespace

TEST_CASE("the oracle's matmul, bias and embedding agree with finite differences") {
  constexpr std::int64_t m = 3, n = 4, k = 5;
  const auto a = noise(m * k, 1), b = noise(k * n, 2), dc = noise(m * n, 3), bias = noise(n, 4);
  const auto g = reference::matmul_backward(a, b, dc, m, n, k);
  CHECK(difference(slope(a, dc, [&](const auto& x) { return reference::matmul(x, b, m, n, k); }), g.da) < 1e-9);
  CHECK(difference(slope(b, dc, [&](const auto& x) { return reference::matmul(a, x, m, n, k); }), g.db) < 1e-9);
  CHECK(difference(slope(bias, dc, [&](const auto& x) { return reference::bias_add(dc, x, m, n); }),
                   reference::bias_gradient(dc, m, n)) < 1e-9);
  const std::vector<std::int32_t> id{4, 0, 4};  // one id twice: its gradients add
  const auto table = noise(5 * n, 5);
  CHECK(difference(slope(table, dc, [&](const auto& x) { return reference::embedding(id, x, 5, n); }),
                   reference::embedding_backward(id, dc, 5, n)) < 1e-9);
}

TEST_CASE("the oracle's transposed products are the products of transposed matrices") {
  // a (2, 3), b (3, 2), by hand
  const reference::Array a{1, 2, 3, 4, 5, 6}, b{7, 8, 9, 10, 11, 12}, product{58, 64, 139, 154};
  const reference::Array a_t{1, 4, 2, 5, 3, 6}, b_t{7, 9, 11, 8, 10, 12};
  CHECK(reference::matmul(a, b, 2, 2, 3) == product);
  CHECK(reference::matmul(a_t, b, 2, 2, 3, true, false) == product);
  CHECK(reference::matmul(a, b_t, 2, 2, 3, false, true) == product);
  CHECK(reference::matmul(a_t, b_t, 2, 2, 3, true, true) == product);
}
