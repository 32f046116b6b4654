// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <limits>

namespace tpx::kernel {

/// Whether an operand of gemm is stored as its transpose.
enum class Transpose : bool { no = false, yes = true };

/// One product, C = alpha op(A) op(B) + beta C, all row-major: rows lie `lda`, `ldb`, `ldc` elements apart.
///
///   op(A)  (m, k)    op(B)  (k, n)    C  (m, n)      op(X) = X or X^T as stored
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

/// A library that multiplies matrices: whether it has a fast kernel for elements T on the space Exec, and the
/// product, enqueued on an instance. It is called with extents and strides that 32 bits hold, none of them 0.
template <class P, class T, class Exec>
concept GemmProvider = requires(const Exec& exec, const GemmCall<T>& call) {
  { P::template takes<T, Exec>() } -> std::same_as<bool>;
  P::multiply(exec, call);
};

/// How many products ran in a slow kernel because no library takes them; a test holds it at zero.
inline std::atomic<std::int64_t>& gemm_native_calls() {
  static std::atomic<std::int64_t> calls{0};
  return calls;
}

/// The largest extent given to a library in one call, whose integers have 32 bits; larger ones are split.
inline std::atomic<std::int64_t>& gemm_extent_limit() {
  static std::atomic<std::int64_t> limit{std::numeric_limits<int>::max()};
  return limit;
}

}  // namespace tpx::kernel
