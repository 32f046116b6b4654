// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include <tpx/kernel/group.hpp>

#ifdef TPX_HAVE_KOKKOS_KERNELS
#include <KokkosBlas3_gemm.hpp>
#endif
#ifdef TPX_HAVE_CBLAS
#include <cblas.h>
#endif

namespace tpx::kernel {

/// Whether an operand of gemm is stored as its transpose.
enum class Transpose : bool { no = false, yes = true };

/// How many products ran in a slow kernel because no BLAS takes them; a test holds it at zero.
inline std::atomic<std::int64_t>& gemm_native_calls() {
  static std::atomic<std::int64_t> calls{0};
  return calls;
}

/// The largest extent given to the BLAS in one call, whose integers have 32 bits; larger ones are split.
inline std::atomic<std::int64_t>& gemm_extent_limit() {
  static std::atomic<std::int64_t> limit{std::numeric_limits<int>::max()};
  return limit;
}

namespace impl {

/// One product as the BLAS sees it: rows `lda`, `ldb`, `ldc` elements apart.
template <class T>
struct GemmCall {
  Transpose ta, tb;
  std::int64_t m, n, k;
  T alpha;
  const T* a;
  std::int64_t lda;
  const T* b;
  std::int64_t ldb;
  T beta;
  T* c;
  std::int64_t ldc;
};

/// One row of C in plain loops.
template <class T>
struct GemmNativeRow {
  GemmCall<T> call;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t i) const {
    const auto& [ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc] = call;
    T* row = c + i * ldc;
    const std::int64_t a_step = ta == Transpose::yes ? lda : 1;
    const T* a_row = ta == Transpose::yes ? a + i : a + i * lda;
    for (std::int64_t j = group.lane(); j < n; j += group.width()) row[j] = beta == T(0) ? T(0) : beta * row[j];
    if (tb == Transpose::no) {
      for (std::int64_t p = 0; p < k; ++p) {
        const T factor = alpha * a_row[p * a_step];
        for (std::int64_t j = group.lane(); j < n; j += group.width()) row[j] += factor * b[p * ldb + j];
      }
    } else {
      for (std::int64_t j = group.lane(); j < n; j += group.width()) {
        T sum = 0;
        for (std::int64_t p = 0; p < k; ++p) sum += a_row[p * a_step] * b[j * ldb + p];
        row[j] += alpha * sum;
      }
    }
  }
};

template <class T, class Exec>
void gemm_native(const Exec& exec, const GemmCall<T>& call) {
  ++gemm_native_calls();
  for_groups(exec, "tpx::gemm_native", call.m, GemmNativeRow<T>{call});
}

#ifdef TPX_HAVE_KOKKOS_KERNELS

template <class T, class Exec>
using GemmView = Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::Device<Exec, typename Exec::memory_space>,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

/// The trait gained the execution space as its first parameter in Kokkos Kernels 4.
template <template <class, class, class> class Trait, class Exec, class Input, class Output>
constexpr bool gemm_trait() {
  return Trait<Input, Input, Output>::value;
}
template <template <class, class, class, class> class Trait, class Exec, class Input, class Output>
constexpr bool gemm_trait() {
  return Trait<Exec, Input, Input, Output>::value;
}

/// Whether Kokkos Kernels hands the product to a vendor's BLAS.
template <class T, class Exec>
constexpr bool gemm_reaches_blas() {
  return gemm_trait<KokkosBlas::Impl::gemm_tpl_spec_avail, Exec, GemmView<const T, Exec>, GemmView<T, Exec>>();
}

/// A view of (rows, columns) whose rows lie `stride` elements apart: a block of a wider matrix.
template <class T, class Exec>
GemmView<T, Exec> gemm_view(T* data, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  const GemmView<T, Exec> whole(data, static_cast<std::size_t>(rows), static_cast<std::size_t>(stride));
  return Kokkos::subview(whole, std::pair<std::int64_t, std::int64_t>(0, rows),
                         std::pair<std::int64_t, std::int64_t>(0, columns));
}

template <class T, class Exec>
void gemm_kokkos(const Exec& exec, const GemmCall<T>& call) {
  const bool ta = call.ta == Transpose::yes, tb = call.tb == Transpose::yes;
  const auto a = gemm_view<const T, Exec>(call.a, ta ? call.k : call.m, ta ? call.m : call.k, call.lda);
  const auto b = gemm_view<const T, Exec>(call.b, tb ? call.n : call.k, tb ? call.k : call.n, call.ldb);
  const auto c = gemm_view<T, Exec>(call.c, call.m, call.n, call.ldc);
  const char* const op_a = ta ? "T" : "N";
  const char* const op_b = tb ? "T" : "N";
  if constexpr (requires { KokkosBlas::gemm(exec, op_a, op_b, call.alpha, a, b, call.beta, c); }) {
    KokkosBlas::gemm(exec, op_a, op_b, call.alpha, a, b, call.beta, c);
  } else {
    // Older releases know the default instance only: on a device, order it between the work before and after.
    if constexpr (!is_host_space_v<Exec>) exec.fence();
    KokkosBlas::gemm(op_a, op_b, call.alpha, a, b, call.beta, c);
    if constexpr (!is_host_space_v<Exec>) Kokkos::fence();
  }
}

#endif

#ifdef TPX_HAVE_CBLAS

template <class T>
void gemm_cblas(const GemmCall<T>& call) {
  const auto op = [](Transpose t) { return t == Transpose::yes ? CblasTrans : CblasNoTrans; };
  const int m = static_cast<int>(call.m), n = static_cast<int>(call.n), k = static_cast<int>(call.k);
  const int lda = static_cast<int>(call.lda), ldb = static_cast<int>(call.ldb),
            ldc = static_cast<int>(call.ldc);
  if constexpr (std::is_same_v<T, float>) {
    cblas_sgemm(CblasRowMajor, op(call.ta), op(call.tb), m, n, k, call.alpha, call.a, lda, call.b, ldb,
                call.beta, call.c, ldc);
  } else {
    cblas_dgemm(CblasRowMajor, op(call.ta), op(call.tb), m, n, k, call.alpha, call.a, lda, call.b, ldb,
                call.beta, call.c, ldc);
  }
}

#endif

/// One call whose extents fit the BLAS.
template <class T, class Exec>
void gemm_block(const Exec& exec, const GemmCall<T>& call) {
  constexpr std::int64_t largest_stride = std::numeric_limits<int>::max();
  if (call.lda > largest_stride || call.ldb > largest_stride || call.ldc > largest_stride) {
    gemm_native(exec, call);  // a row longer than 2^31 elements: no BLAS can step over it
    return;
  }
#ifdef TPX_HAVE_KOKKOS_KERNELS
  if constexpr (gemm_reaches_blas<T, Exec>()) {
    gemm_kokkos(exec, call);
    return;
  }
#endif
#ifdef TPX_HAVE_CBLAS
  if constexpr (is_host_space_v<Exec>) {
    gemm_cblas(call);
    return;
  }
#endif
#ifdef TPX_HAVE_KOKKOS_KERNELS
  if constexpr (!is_host_space_v<Exec>) {
    ++gemm_native_calls();
    gemm_kokkos(exec, call);
    return;
  }
#endif
  gemm_native(exec, call);
}

template <class T>
struct GemmScale {
  T beta;
  T* c;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const { c[i] = beta == T(0) ? T(0) : beta * c[i]; }
};

}  // namespace impl

/// Multiplies two matrices.
///
///   C = alpha op(A) op(B) + beta C
///
///   op(A)  (m, k)    op(B)  (k, n)    C  (m, n)      dense, row-major; op(X) = X or X^T as stored
///
/// @pre    T is float or double; C overlaps neither A nor B
/// @post   beta == 0 overwrites C, whatever it held; k == 0 leaves beta C
template <class T, class Exec>
void gemm(const Exec& exec, Transpose ta, Transpose tb, std::int64_t m, std::int64_t n, std::int64_t k,
          std::type_identity_t<T> alpha, const T* a, const T* b, std::type_identity_t<T> beta, T* c) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "tpx::gemm: T is float or double");
  if (m <= 0 || n <= 0) return;
  if (k <= 0) {
    for_each(exec, "tpx::gemm_scale", m * n, impl::GemmScale<T>{beta, c});
    return;
  }
  const std::int64_t lda = ta == Transpose::yes ? m : k, ldb = tb == Transpose::yes ? k : n;
  const std::int64_t limit = gemm_extent_limit();
  for (std::int64_t i = 0; i < m; i += limit) {
    for (std::int64_t j = 0; j < n; j += limit) {
      for (std::int64_t p = 0; p < k; p += limit) {
        const std::int64_t rows = m - i < limit ? m - i : limit, columns = n - j < limit ? n - j : limit;
        const std::int64_t depth = k - p < limit ? k - p : limit;
        impl::gemm_block(exec, impl::GemmCall<T>{ta, tb, rows, columns, depth, alpha,
                                                 a + (ta == Transpose::yes ? p * m + i : i * k + p), lda,
                                                 b + (tb == Transpose::yes ? j * k + p : p * n + j), ldb,
                                                 p == 0 ? beta : T(1), c + i * n + j, n});
      }
    }
  }
}

}  // namespace tpx::kernel
