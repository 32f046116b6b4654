// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <atomic>
#include <cstdint>

#include <Kokkos_Core.hpp>

/// The one place where the host waits for kernels, so that it is known how often it does.
namespace tpx::kernel {

/// How often the host has waited for an execution space; a test holds it at zero for a step that repeats.
inline std::atomic<std::int64_t>& fences() {
  static std::atomic<std::int64_t> count{0};
  return count;
}

/// Waits until what was launched on the instance has ended.
template <class Exec>
void fence(const Exec& exec) {
  ++fences();
  exec.fence();
}

/// Waits for all instances of all execution spaces.
inline void fence() {
  ++fences();
  Kokkos::fence();
}

}  // namespace tpx::kernel
