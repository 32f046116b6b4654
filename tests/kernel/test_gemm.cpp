// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/gemm.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;
using kernel::Transpose;

namespace {

/// Lowers the extent limit of the BLAS while it lives.
struct ExtentLimit {
  std::int64_t before = kernel::gemm_extent_limit();
  explicit ExtentLimit(std::int64_t limit) { kernel::gemm_extent_limit() = limit; }
  ~ExtentLimit() { kernel::gemm_extent_limit() = before; }
};

template <class T, class Exec>
double gemm_error(const Exec& exec, bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k,
                  double alpha, double beta) {
  const auto a = noise(m * k, 1), b = noise(k * n, 2), c0 = noise(m * n, 3);
  const auto af = to<T>(a), bf = to<T>(b);
  auto c = beta == 0 ? unset<T>(m * n) : to<T>(c0);
  kernel::gemm(exec, Transpose{ta}, Transpose{tb}, m, n, k, static_cast<T>(alpha), af.data(), bf.data(),
               static_cast<T>(beta), c.data());
  exec.fence();
  auto expected = reference::matmul(a, b, m, n, k, ta, tb);
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] = alpha * expected[i] + (beta == 0 ? 0 : beta * c0[i]);
  return difference(c, expected);
}

}  // namespace

TEST_CASE_TEMPLATE("gemm equals plain loops in every orientation", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      CAPTURE(ta);
      CAPTURE(tb);
      CHECK(gemm_error<T>(exec, ta, tb, 13, 17, 31, 1, 0) < tolerance<T>(32));
      CHECK(gemm_error<T>(exec, ta, tb, 13, 17, 31, -0.5, 1) < tolerance<T>(32));
      CHECK(gemm_error<T>(exec, ta, tb, 1, 64, 40, 1, 0) < tolerance<T>(40));
      CHECK(gemm_error<T>(exec, ta, tb, 64, 1, 40, 2, -3) < tolerance<T>(40));
      CHECK(gemm_error<T>(exec, ta, tb, 5, 6, 1, 1, 1) < tolerance<T>(4));
      // no depth: beta C, and C = 0 where beta is 0, whatever C held
      CHECK(gemm_error<T>(exec, ta, tb, 5, 6, 0, 1, 0) == 0);
      CHECK(gemm_error<T>(exec, ta, tb, 5, 6, 0, 1, 0.5) < tolerance<T>(1));
      CHECK(gemm_error<T>(exec, ta, tb, 0, 6, 3, 1, 0) == 0);
      CHECK(gemm_error<T>(exec, ta, tb, 5, 0, 3, 1, 0) == 0);
    }
  }
}

TEST_CASE_TEMPLATE("gemm splits extents beyond the limit of the BLAS", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  const ExtentLimit lowered(1000);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      CHECK(gemm_error<T>(exec, ta, tb, 2345, 3, 5, 1, 0.5) < tolerance<T>(32));
      CHECK(gemm_error<T>(exec, ta, tb, 3, 2345, 5, 1, 0) < tolerance<T>(32));
      CHECK(gemm_error<T>(exec, ta, tb, 3, 5, 2345, 1, 0) < tolerance<T>(256));
      CHECK(gemm_error<T>(exec, ta, tb, 1001, 1002, 3, 1, 2) < tolerance<T>(32));
    }
  }
}

TEST_CASE_TEMPLATE("no product falls to the slow kernel", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  const auto before = kernel::gemm_native_calls().load();
  CHECK(gemm_error<T>(exec, false, true, 33, 20, 12, 1, 0) < tolerance<T>(32));
  CHECK(kernel::gemm_native_calls().load() == before);
}

TEST_CASE_TEMPLATE("the slow kernel is right and counted", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  const auto before = kernel::gemm_native_calls().load();
  const auto a = noise(4 * 6, 1), b = noise(6 * 5, 2);
  const auto af = to<T>(a), bf = to<T>(b);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      auto c = unset<T>(4 * 5);
      kernel::impl::gemm_native(
          exec, kernel::impl::GemmCall<T>{Transpose{ta}, Transpose{tb}, 4, 5, 6, T(2), af.data(), ta ? 4 : 6,
                                          bf.data(), tb ? 6 : 5, T(0), c.data(), 5});
      exec.fence();
      auto expected = reference::matmul(a, b, 4, 5, 6, ta, tb);
      for (double& v : expected) v *= 2;
      CHECK(difference(c, expected) < tolerance<T>(16));
    }
  }
  CHECK(kernel::gemm_native_calls().load() == before + 4);
}
