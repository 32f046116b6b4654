// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/core/philox.hpp>
#include <tpx/kernel/random.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

// The published known-answer vectors of Philox 4x32-10.
static_assert(tpx::philox(tpx::PhiloxBlock{{0, 0, 0, 0}}, tpx::PhiloxKey{{0, 0}}) ==
              tpx::PhiloxBlock{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
static_assert(tpx::philox(tpx::PhiloxBlock{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
                          tpx::PhiloxKey{{0xffffffff, 0xffffffff}}) ==
              tpx::PhiloxBlock{{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
static_assert(tpx::philox(tpx::PhiloxBlock{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
                          tpx::PhiloxKey{{0xa4093822, 0x299f31d0}}) ==
              tpx::PhiloxBlock{{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});

TEST_CASE("philox gives its published vectors at run time too") {
  volatile std::uint32_t zero = 0;
  const auto block = tpx::philox(tpx::PhiloxBlock{{zero, zero, zero, zero}}, tpx::PhiloxKey{{zero, zero}});
  CHECK(block == tpx::PhiloxBlock{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  // seed, stream and index each matter, in both of their halves
  const auto base = tpx::philox(1, 2, 3);
  CHECK_FALSE(base == tpx::philox(1 + (std::uint64_t{1} << 32), 2, 3));
  CHECK_FALSE(base == tpx::philox(1, 2 + (std::uint64_t{1} << 32), 3));
  CHECK_FALSE(base == tpx::philox(1, 2, 3 + (std::uint64_t{1} << 32)));
}

TEST_CASE_TEMPLATE("every split of a tensor gets the same bits", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  const kernel::IndexMap whole{3, {5, 6, 7}, {0, 0, 0}, {5, 6, 7}};
  auto uniform = unset<T>(210), normal = unset<T>(210);
  kernel::fill_uniform(exec, uniform.data(), whole, 42, 3, -1, 1);
  kernel::fill_normal(exec, normal.data(), whole, 42, 3, 0, 1);
  exec.fence();
  for (const auto& part : {kernel::IndexMap{3, {2, 6, 7}, {3, 0, 0}, {5, 6, 7}},
                           kernel::IndexMap{3, {5, 2, 7}, {0, 4, 0}, {5, 6, 7}},
                           kernel::IndexMap{3, {3, 5, 1}, {1, 1, 6}, {5, 6, 7}},
                           kernel::IndexMap{3, {3, 0, 1}, {1, 1, 6}, {5, 6, 7}}}) {
    auto u = unset<T>(part.size()), g = unset<T>(part.size());
    kernel::fill_uniform(exec, u.data(), part, 42, 3, -1, 1);
    kernel::fill_normal(exec, g.data(), part, 42, 3, 0, 1);
    exec.fence();
    std::size_t at = 0;
    for (std::int64_t i = 0; i < part.local_extent[0]; ++i) {
      for (std::int64_t j = 0; j < part.local_extent[1]; ++j) {
        for (std::int64_t k = 0; k < part.local_extent[2]; ++k, ++at) {
          const std::int64_t global =
              ((part.global_offset[0] + i) * 6 + part.global_offset[1] + j) * 7 + part.global_offset[2] + k;
          CHECK(u[at] == uniform[static_cast<std::size_t>(global)]);
          CHECK(g[at] == normal[static_cast<std::size_t>(global)]);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("the moments are those of the distributions", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  constexpr std::int64_t n = 200000;
  const kernel::IndexMap map{1, {n}, {0}, {n}};
  auto x = unset<T>(n);
  const auto moment = [&](int power, double centre) {
    double sum = 0;
    for (const T v : x) sum += std::pow(static_cast<double>(v) - centre, power);
    return sum / n;
  };
  kernel::fill_uniform(exec, x.data(), map, 7, 0, 2, 5);
  exec.fence();
  CHECK(*std::min_element(x.begin(), x.end()) >= T(2));
  CHECK(*std::max_element(x.begin(), x.end()) <= T(5));
  CHECK(std::fabs(moment(1, 3.5)) < 0.01);
  CHECK(std::fabs(moment(2, 3.5) - 0.75) < 0.01);
  kernel::fill_normal(exec, x.data(), map, 7, 0, 1, 2);
  exec.fence();
  CHECK(std::fabs(moment(1, 1)) < 0.02);
  CHECK(std::fabs(moment(2, 1) - 4) < 0.06);
  CHECK(std::fabs(moment(3, 1)) < 0.4);
  CHECK(std::fabs(moment(4, 1) - 48) < 2);
}
