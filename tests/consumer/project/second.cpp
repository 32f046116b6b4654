// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <Kokkos_Core.hpp>
#include <string>
#if __has_include(<tpx/tpx.hpp>)
#include <tpx/tpx.hpp>
#endif
#include <tpx/core/error.hpp>

std::string refusal_of(int extent);
int sum_to(int n);

std::string refusal_of(int extent) {
  try {
    TPX_EXPECTS(extent >= 0, extent);
  } catch (const tpx::Error& error) {
    return error.what();
  }
  return {};
}

int sum_to(int n) {
  int sum = 0;
  Kokkos::parallel_reduce(
      "sum_to", n, KOKKOS_LAMBDA(int i, int& partial) { partial += i; }, sum);
  return sum;
}
