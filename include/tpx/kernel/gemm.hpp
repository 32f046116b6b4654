// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include <tpx/kernel/gemm_call.hpp>
#include <tpx/kernel/gemm_cblas.hpp>
#include <tpx/kernel/gemm_kokkos.hpp>
#include <tpx/kernel/gemm_native.hpp>
#include <tpx/kernel/gemm_rows.hpp>

namespace tpx::kernel {

/// What multiplies where nobody says otherwise: Kokkos Kernels if it is installed.
#if defined(TPX_HAVE_KOKKOS_KERNELS)
using DefaultGemm = KokkosKernelsGemm;
#elif defined(TPX_HAVE_CBLAS)
using DefaultGemm = CblasGemm;
#else
using DefaultGemm = NativeGemm;
#endif

namespace impl {

/// One call of a library: the provider's if it has a kernel for T on Exec, else the default's, else plain
/// loops.
template <class Provider, class T, class Exec>
void gemm_block(const Exec& exec, const GemmCall<T>& call) {
  constexpr std::int64_t largest_stride = std::numeric_limits<int>::max();
  if (call.lda > largest_stride || call.ldb > largest_stride || call.ldc > largest_stride) {
    NativeGemm::multiply(exec, call);  // a row longer than 2^31 elements: no BLAS can step over it
  } else if constexpr (Provider::template takes<T, Exec>()) {
    Provider::multiply(exec, call);
  } else if constexpr (DefaultGemm::template takes<T, Exec>()) {
    DefaultGemm::multiply(exec, call);
  } else {
    NativeGemm::multiply(exec, call);
  }
}

template <class T>
struct GemmScale {
  T beta;
  T* c;
  std::int64_t columns, stride;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(std::int64_t i) const {
    T& x = c[i / columns * stride + i % columns];
    x = beta == T(0) ? T(0) : beta * x;
  }
};

}  // namespace impl

/// Multiplies two matrices that may be blocks of wider ones.
///
///   C = alpha op(A) op(B) + beta C
///
/// On a host few rows of A, or a small depth where A is stored as its transpose, go to kernels of our own,
/// which read B, or write C, at the speed of memory: up to 16 with AVX-512, 8 with AVX, else 2. The rest goes
/// to the provider, split where an extent exceeds what a library can count.
///
/// @tparam Provider  a GemmProvider; for elements and spaces that it does not take the default multiplies
/// @pre    T is float or double; C overlaps neither A nor B; a stride is no less than a row
/// @post   beta == 0 overwrites C, whatever it held; k == 0 leaves beta C
template <class Provider = DefaultGemm, class T, class Exec>
void multiply(const Exec& exec, const GemmCall<T>& call) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "tpx::gemm: T is float or double");
  static_assert(GemmProvider<Provider, T, Exec>,
                "tpx::gemm: a provider has takes<T, Exec>() and multiply(exec, call)");
  const auto [ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc] = call;
  if (m <= 0 || n <= 0) return;
  if (k <= 0) return for_each(exec, "tpx::gemm_scale", m * n, impl::GemmScale<T>{beta, c, n, ldc});
  if constexpr (is_host_space_v<Exec>) {
    if (impl::has_few_rows(call)) return impl::gemm_rows(exec, call);
  }
  const std::int64_t limit = gemm_extent_limit();
  if (m <= limit && n <= limit && k <= limit) return impl::gemm_block<Provider>(exec, call);
  for (std::int64_t i = 0; i < m; i += limit) {
    for (std::int64_t j = 0; j < n; j += limit) {
      for (std::int64_t p = 0; p < k; p += limit) {
        GemmCall<T> part = call;
        part.m = m - i < limit ? m - i : limit;
        part.n = n - j < limit ? n - j : limit;
        part.k = k - p < limit ? k - p : limit;
        part.a += ta == Transpose::yes ? p * lda + i : i * lda + p;
        part.b += tb == Transpose::yes ? j * ldb + p : p * ldb + j;
        part.c += i * ldc + j;
        if (p > 0) part.beta = T(1);
        impl::gemm_block<Provider>(exec, part);
      }
    }
  }
}

/// The same for dense matrices.
///
///   op(A)  (m, k)    op(B)  (k, n)    C  (m, n)      dense, row-major; op(X) = X or X^T as stored
template <class Provider = DefaultGemm, class T, class Exec>
void gemm(const Exec& exec, Transpose ta, Transpose tb, std::int64_t m, std::int64_t n, std::int64_t k,
          std::type_identity_t<T> alpha, const T* a, const T* b, std::type_identity_t<T> beta, T* c) {
  const std::int64_t lda = ta == Transpose::yes ? m : k, ldb = tb == Transpose::yes ? k : n;
  multiply<Provider>(exec, GemmCall<T>{ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, n});
}

}  // namespace tpx::kernel
