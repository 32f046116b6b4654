// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/kernel/fence.hpp>
#include <tpx/kernel/gemm_call.hpp>
#include <tpx/kernel/group.hpp>

#ifdef TPX_HAVE_KOKKOS_KERNELS

#include <utility>

#include <KokkosBlas3_gemm.hpp>

namespace tpx::kernel {
namespace impl {

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

/// A view of (rows, columns) whose rows lie `stride` elements apart: a block of a wider matrix.
template <class T, class Exec>
GemmView<T, Exec> gemm_view(T* data, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  const GemmView<T, Exec> whole(data, static_cast<std::size_t>(rows), static_cast<std::size_t>(stride));
  return Kokkos::subview(whole, std::pair<std::int64_t, std::int64_t>(0, rows),
                         std::pair<std::int64_t, std::int64_t>(0, columns));
}

}  // namespace impl

/// Kokkos Kernels, and behind it the vendor's BLAS: the default.
struct KokkosKernelsGemm {
  /// Whether Kokkos Kernels hands the product to a vendor's BLAS. All operands are given as row-major with
  /// transposes by flag, which is what it hands on; its own kernel is slow.
  template <class T, class Exec>
  static constexpr bool takes() {
    return impl::gemm_trait<KokkosBlas::Impl::gemm_tpl_spec_avail, Exec, impl::GemmView<const T, Exec>,
                            impl::GemmView<T, Exec>>();
  }

  template <class T, class Exec>
  static void multiply(const Exec& exec, const GemmCall<T>& call) {
    const bool ta = call.ta == Transpose::yes, tb = call.tb == Transpose::yes;
#ifdef KOKKOSKERNELS_ENABLE_TPL_BLAS
    if constexpr (is_host_space_v<Exec>) {
      if (!tools_watch()) {
        // Straight to the BLAS that the call below ends in: its views and regions take 0.1 us. To a
        // column-major BLAS all operands are their transposes, C^T = B^T A^T.
        KokkosBlas::Impl::HostBlas<T>::gemm(
            tb ? 'T' : 'N', ta ? 'T' : 'N', static_cast<int>(call.n), static_cast<int>(call.m),
            static_cast<int>(call.k), call.alpha, call.b, static_cast<int>(call.ldb), call.a,
            static_cast<int>(call.lda), call.beta, call.c, static_cast<int>(call.ldc));
        return;
      }
    }
#endif
    const auto a = impl::gemm_view<const T, Exec>(call.a, ta ? call.k : call.m, ta ? call.m : call.k, call.lda);
    const auto b = impl::gemm_view<const T, Exec>(call.b, tb ? call.n : call.k, tb ? call.k : call.n, call.ldb);
    const auto c = impl::gemm_view<T, Exec>(call.c, call.m, call.n, call.ldc);
    const char* const op_a = ta ? "T" : "N";
    const char* const op_b = tb ? "T" : "N";
    if constexpr (requires { KokkosBlas::gemm(exec, op_a, op_b, call.alpha, a, b, call.beta, c); }) {
      KokkosBlas::gemm(exec, op_a, op_b, call.alpha, a, b, call.beta, c);
    } else {
      // Older releases know the default instance only: on a device, order it between the work before and after.
      if constexpr (!is_host_space_v<Exec>) fence(exec);
      KokkosBlas::gemm(op_a, op_b, call.alpha, a, b, call.beta, c);
      if constexpr (!is_host_space_v<Exec>) fence();
    }
  }
};

}  // namespace tpx::kernel

#endif
