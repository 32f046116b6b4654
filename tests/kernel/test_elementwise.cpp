// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/elementwise.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

namespace {

template <class Types, class Fn, class F, class D>
void check_unary(const Fn& fn, const F& f, const D& slope) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const std::int64_t n : {0, 1, 19, 5000}) {
    const auto x = noise(n, 1, 4.0), dy = noise(n, 2), before = noise(n, 3);
    const auto in = to<T>(x), gradient = to<T>(dy);
    reference::Array expected(x.size()), dx(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected[i] = f(x[i]);
      dx[i] = dy[i] * slope(x[i]);
    }
    auto out = unset<T>(n);
    kernel::unary(exec, fn, in.data(), out.data(), n);
    exec.fence();
    CHECK(difference(out, expected) < tolerance<T>(8));
    out = unset<T>(n);
    kernel::unary_backward(exec, fn, in.data(), gradient.data(), out.data(), n);
    exec.fence();
    CHECK(difference(out, dx) < tolerance<T>(8));
    out = to<T>(before);
    kernel::unary_backward(exec, fn, in.data(), gradient.data(), out.data(), n, true);
    exec.fence();
    for (std::size_t i = 0; i < x.size(); ++i) dx[i] += before[i];
    CHECK(difference(out, dx) < tolerance<T>(8));
  }
}

}  // namespace

TEST_CASE_TEMPLATE("gelu, relu, silu, tanh, exp and a factor, forward and backward", Types,
                   TPX_KERNEL_TEST_TYPES) {
  const auto at = [](const auto& f) { return [f](double x) { return f(reference::Array{x})[0]; }; };
  check_unary<Types>(kernel::Gelu{}, at([](const auto& x) { return reference::gelu(x); }),
                     at([](const auto& x) { return reference::gelu_backward(x, {1.0}); }));
  check_unary<Types>(kernel::GeluTanh{}, at([](const auto& x) { return reference::gelu_tanh(x); }),
                     at([](const auto& x) { return reference::gelu_tanh_backward(x, {1.0}); }));
  check_unary<Types>(
      kernel::Scale{-2.5}, [](double x) { return -2.5 * x; }, [](double) { return -2.5; });
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
  check_unary<Types>(
      kernel::Relu{}, [](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0.0; });
  check_unary<Types>(
      kernel::Silu{}, [&](double x) { return x * logistic(x); },
      [&](double x) { return logistic(x) + x * logistic(x) * (1 - logistic(x)); });
  check_unary<Types>(
      kernel::Tanh{}, [](double x) { return std::tanh(x); },
      [](double x) { return 1 - std::tanh(x) * std::tanh(x); });
  check_unary<Types>(
      kernel::Exp{}, [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); });
}

TEST_CASE("relu keeps a NaN, and passes its gradient on") {
  CHECK(kernel::Relu::derivative(std::numeric_limits<double>::quiet_NaN()) == 1.0);
  CHECK(std::isnan(kernel::Relu::value(std::numeric_limits<double>::quiet_NaN())));
  CHECK(kernel::Relu::derivative(0.0) == 0.0);
}

TEST_CASE_TEMPLATE("a product with a row, forward and backward", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{5, 7}, {1, 3000}, {200, 1}, {70, 130}, {0, 3}, {3, 0}}) {
    const auto x = noise(rows * columns, 1), y = noise(columns, 2), dz = noise(rows * columns, 3);
    reference::Array z(x.size()), dx(x.size()), dy(y.size(), 0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = i % y.size();
      z[i] = x[i] * y[c];
      dx[i] = dz[i] * y[c];
      dy[c] += dz[i] * x[i];
    }
    const auto a = to<T>(x), b = to<T>(y), g = to<T>(dz);
    auto out = unset<T>(rows * columns), row = unset<T>(columns);
    const kernel::Multiply fn;
    kernel::binary(exec, fn, a.data(), b.data(), out.data(), rows, columns);
    exec.fence();
    CHECK(difference(out, z) < tolerance<T>(2));
    out = unset<T>(rows * columns);
    kernel::binary_dx(exec, fn, a.data(), b.data(), g.data(), out.data(), rows, columns);
    kernel::binary_dy(exec, fn, a.data(), b.data(), g.data(), row.data(), rows, columns);
    exec.fence();
    CHECK(difference(out, dx) < tolerance<T>(2));
    CHECK(difference(row, dy) < tolerance<T>(32));
    kernel::binary_dx(exec, fn, a.data(), b.data(), g.data(), out.data(), rows, columns, true);
    kernel::binary_dy(exec, fn, a.data(), b.data(), g.data(), row.data(), rows, columns, true);
    exec.fence();
    for (double& v : dx) v *= 2;
    for (double& v : dy) v *= 2;
    CHECK(difference(out, dx) < tolerance<T>(4));
    CHECK(difference(row, dy) < tolerance<T>(64));
  }
}

TEST_CASE("the oracle's activations agree with finite differences") {
  const auto x = noise(100, 1, 4.0);
  const double h = 1e-5;
  auto up = x, down = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    up[i] += h;
    down[i] -= h;
  }
  const reference::Array ones(x.size(), 1.0);
  const auto check = [&](const reference::Array& high, const reference::Array& low,
                         const reference::Array& gradient) {
    reference::Array slope(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) slope[i] = (high[i] - low[i]) / (2 * h);
    return difference(slope, gradient);
  };
  CHECK(check(reference::gelu(up), reference::gelu(down), reference::gelu_backward(x, ones)) < 1e-8);
  CHECK(check(reference::gelu_tanh(up), reference::gelu_tanh(down), reference::gelu_tanh_backward(x, ones)) <
        1e-8);
}
