// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <Kokkos_Core.hpp>
#include <cstdio>

#include "support/slow_products.hpp"

int main(int argc, char** argv) {
  Kokkos::ScopeGuard kokkos(argc, argv);
  const int failed = doctest::Context(argc, argv).run();
  const std::string wrong = tpx::test::slow_products();
  std::fputs(wrong.c_str(), stderr);
  return wrong.empty() ? failed : 1;
}
