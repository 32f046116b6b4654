// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/gemm.hpp>
#include <tpx/kernel/gemm_onednn.hpp>

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

template <class Provider, class T, class Exec>
double gemm_error(const Exec& exec, bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k,
                  double alpha, double beta) {
  const auto a = noise(m * k, 1), b = noise(k * n, 2), c0 = noise(m * n, 3);
  const auto af = to<T>(a), bf = to<T>(b);
  auto c = beta == 0 ? unset<T>(m * n) : to<T>(c0);
  kernel::gemm<Provider>(exec, Transpose{ta}, Transpose{tb}, m, n, k, static_cast<T>(alpha), af.data(),
                         bf.data(), static_cast<T>(beta), c.data());
  exec.fence();
  auto expected = reference::matmul(a, b, m, n, k, ta, tb);
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] = alpha * expected[i] + (beta == 0 ? 0 : beta * c0[i]);
  return difference(c, expected);
}

/// Every orientation and shape of interest; the providers that are compiled in share it.
template <class Provider, class T, class Exec>
void check_provider(const Exec& exec) {
  const auto native_calls = kernel::gemm_native_calls().load();
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      CAPTURE(ta);
      CAPTURE(tb);
      const auto error = [&](std::int64_t m, std::int64_t n, std::int64_t k, double alpha, double beta) {
        return gemm_error<Provider, T>(exec, ta, tb, m, n, k, alpha, beta);
      };
      CHECK(error(23, 17, 31, 1, 0) < tolerance<T>(32));
      CHECK(error(23, 17, 31, -0.5, 1) < tolerance<T>(32));
      CHECK(error(1, 64, 40, 1, 0) < tolerance<T>(40));
      CHECK(error(64, 1, 40, 2, -3) < tolerance<T>(40));
      CHECK(error(5, 6, 1, 1, 1) < tolerance<T>(4));
      // no depth: beta C, and C = 0 where beta is 0, whatever C held
      CHECK(error(5, 6, 0, 1, 0) == 0);
      CHECK(error(5, 6, 0, 1, 0.5) < tolerance<T>(1));
      CHECK(error(0, 6, 3, 1, 0) == 0);
      CHECK(error(5, 0, 3, 1, 0) == 0);
    }
  }
  CHECK(kernel::gemm_native_calls().load() == native_calls);  // none was left to the slow kernel
}

/// A provider that knows one element type, to see what becomes of the other.
struct FloatsOnly {
  static inline int calls = 0;
  template <class T, class Exec>
  static constexpr bool takes() {
    return std::is_same_v<T, float>;
  }
  template <class T, class Exec>
  static void multiply(const Exec& exec, const kernel::GemmCall<T>& call) {
    ++calls;
    kernel::DefaultGemm::multiply(exec, call);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("gemm equals plain loops in every orientation", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  check_provider<kernel::DefaultGemm, T>(exec);
#ifdef TPX_HAVE_CBLAS
  check_provider<kernel::CblasGemm, T>(exec);
#endif
#ifdef TPX_HAVE_ONEDNN
  check_provider<kernel::OneDnnGemm, T>(exec);
  static_assert(kernel::OneDnnGemm::takes<T, typename Types::space>() == std::is_same_v<T, float>);
#endif
}

TEST_CASE_TEMPLATE("products of few rows equal plain loops", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  // Around what a register, a block of rows and the scratch hold; 17 rows are a library's.
  for (const bool tb : {false, true}) {
    for (const std::int64_t m : {1, 2, 4, 5, 8, 15, 16, 17}) {
      CAPTURE(tb);
      CAPTURE(m);
      for (const std::int64_t n : {1, 3, 16, 31, 64, 77}) {
        for (const std::int64_t k : {1, 7, 16, 37, 128}) {
          const double error = gemm_error<FloatsOnly, T>(exec, false, tb, m, n, k, 1, k == 37 ? -0.5 : 0);
          if (error >= tolerance<T>(static_cast<double>(k)))
            FAIL_CHECK("n = " << n << ", k = " << k << ": " << error);
        }
      }
    }
    CHECK(gemm_error<FloatsOnly, T>(exec, false, tb, 16, 4321, 9, 1, 1) < tolerance<T>(16));
    CHECK(gemm_error<FloatsOnly, T>(exec, false, tb, 3, 21, 4321, 1, 0) < tolerance<T>(512));
  }
  for (const std::int64_t k : {1, 7, 16, 17}) {
    for (const double beta : {0.0, 1.0, 0.5}) {
      CHECK(gemm_error<FloatsOnly, T>(exec, true, false, 21, 77, k, 1, beta) < tolerance<T>(32));
      CHECK(gemm_error<FloatsOnly, T>(exec, true, false, 8, 3, k, 1, beta) < tolerance<T>(32));
    }
  }
}

TEST_CASE_TEMPLATE("a product of blocks of wider matrices leaves what is beside them", Types,
                   TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  constexpr std::int64_t n = 20, k = 12, wide = 33;
  for (const std::int64_t m : {3, 25}) {
    const auto a = noise(m * wide, 1), b = noise(k * wide, 2), c0 = noise(m * wide, 3);
    const auto af = to<T>(a), bf = to<T>(b);
    auto c = to<T>(c0);
    kernel::multiply(exec, kernel::GemmCall<T>{Transpose::no, Transpose::no, m, n, k, T(1), af.data() + 2, wide,
                                               bf.data() + 5, wide, T(0), c.data() + 7, wide});
    exec.fence();
    auto expected = c0;
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t p = 0; p < k; ++p)
          sum += a[static_cast<std::size_t>(i * wide + 2 + p)] * b[static_cast<std::size_t>(p * wide + 5 + j)];
        expected[static_cast<std::size_t>(i * wide + 7 + j)] = sum;
      }
    }
    CHECK(difference(c, expected) < tolerance<T>(16));
  }
}

TEST_CASE_TEMPLATE("what a provider does not take goes to the default", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const int before = FloatsOnly::calls;
  CHECK(gemm_error<FloatsOnly, T>(typename Types::space(), false, false, 20, 20, 20, 1, 0) < tolerance<T>(32));
  CHECK(FloatsOnly::calls - before == (std::is_same_v<T, float> ? 1 : 0));
}

TEST_CASE_TEMPLATE("gemm splits extents beyond the limit of the BLAS", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  const ExtentLimit lowered(1000);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      CHECK(gemm_error<kernel::DefaultGemm, T>(exec, ta, tb, 2345, 3, 5, 1, 0.5) < tolerance<T>(32));
      CHECK(gemm_error<kernel::DefaultGemm, T>(exec, ta, tb, 3, 2345, 5, 1, 0) < tolerance<T>(32));
      CHECK(gemm_error<kernel::DefaultGemm, T>(exec, ta, tb, 3, 5, 2345, 1, 0) < tolerance<T>(256));
      CHECK(gemm_error<kernel::DefaultGemm, T>(exec, ta, tb, 1001, 1002, 3, 1, 2) < tolerance<T>(32));
    }
  }
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
      kernel::NativeGemm::multiply(
          exec, kernel::GemmCall<T>{Transpose{ta}, Transpose{tb}, 4, 5, 6, T(2), af.data(), ta ? 4 : 6,
                                    bf.data(), tb ? 6 : 5, T(0), c.data(), 5});
      exec.fence();
      auto expected = reference::matmul(a, b, 4, 5, 6, ta, tb);
      for (double& v : expected) v *= 2;
      CHECK(difference(c, expected) < tolerance<T>(16));
    }
  }
  CHECK(kernel::gemm_native_calls().load() == before + 4);
  kernel::gemm_native_calls() = before;  // on purpose
}
