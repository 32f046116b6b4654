// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/optimizer.hpp>
#include <tpx/kernel/reduce.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

TEST_CASE_TEMPLATE("sum and sum of squares", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const std::int64_t n : {0, 1, 31, 32, 33, 10007}) {
    const auto x = noise(n, 1);
    const auto xf = to<T>(x);
    double expected = 0, squares = 0;
    for (const double v : x) {
      expected += v;
      squares += v * v;
    }
    auto out = unset<T>(1);
    double total = 2.5;
    kernel::sum(exec, xf.data(), n, out.data());
    kernel::sum_squares_accumulate(exec, xf.data(), n, &total);
    exec.fence();
    CHECK(static_cast<double>(out[0]) == doctest::Approx(expected).epsilon(tolerance<T>(2)));
    CHECK(total == doctest::Approx(2.5 + squares).epsilon(1e-13));
  }
}

TEST_CASE_TEMPLATE("adamw takes the steps of its equations", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const std::int64_t n : {0, 1, 100}) {
    for (const bool scaled : {false, true}) {
      auto value = noise(n, 1), m = reference::zeros(n), v = reference::zeros(n);
      auto valuef = to<T>(value), mf = to<T>(m), vf = to<T>(v);
      const T factor = T(0.5);
      for (int step = 1; step <= 5; ++step) {
        const auto g = noise(n, static_cast<std::uint64_t>(10 + step));
        const auto gf = to<T>(g);
        kernel::AdamW p{0.01, 0.9, 0.95, 1e-8, 0.1, 1 - std::pow(0.9, step), 1 - std::pow(0.95, step)};
        kernel::adamw(exec, n, valuef.data(), gf.data(), mf.data(), vf.data(), p, scaled ? &factor : nullptr);
        exec.fence();
        for (std::size_t i = 0; i < g.size(); ++i) {
          const double gradient = scaled ? 0.5 * g[i] : g[i];
          value[i] -= 0.01 * 0.1 * value[i];
          m[i] = 0.9 * m[i] + 0.1 * gradient;
          v[i] = 0.95 * v[i] + 0.05 * gradient * gradient;
          value[i] -=
              0.01 * (m[i] / (1 - std::pow(0.9, step))) / (std::sqrt(v[i] / (1 - std::pow(0.95, step))) + 1e-8);
        }
      }
      CHECK(difference(valuef, value) < tolerance<T>(16));
      CHECK(difference(mf, m) < tolerance<T>(16));
      CHECK(difference(vf, v) < tolerance<T>(16));
    }
  }
}

TEST_CASE_TEMPLATE("the clip factor bounds the norm and is 1 below it", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  auto factor = unset<T>(1);
  double squares = 16.0;
  kernel::clip_factor(exec, &squares, 1.0, factor.data());
  exec.fence();
  CHECK(static_cast<double>(factor[0]) == doctest::Approx(0.25).epsilon(1e-6));
  kernel::clip_factor(exec, &squares, 5.0, factor.data());
  exec.fence();
  CHECK(factor[0] == T(1));
  squares = 0;
  kernel::clip_factor(exec, &squares, 1.0, factor.data());
  exec.fence();
  CHECK(factor[0] == T(1));
}
