// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/copy.hpp>

#include <array>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

namespace {

/// Adds up 0 .. n-1 over the lanes and keeps the numbers in scratch on the way.
struct SumThroughScratch {
  std::int64_t n;
  std::int64_t* out;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t index) const {
    auto* numbers = group.template scratch<std::int64_t>(64);
    for (std::int64_t i = group.lane(); i < n; i += group.width()) numbers[i] = i + index;
    group.barrier();
    std::int64_t sum = 0, largest = -1;
    for (std::int64_t i = group.lane(); i < n; i += group.width()) {
      sum += numbers[n - 1 - i];
      largest = largest < numbers[i] ? numbers[i] : largest;
    }
    sum = group.sum(sum);
    largest = group.max(largest);
    if (group.lane() == 0) out[index] = sum * 1000 + largest;
  }
};

}  // namespace

TEST_CASE_TEMPLATE("a group has lanes, sums and scratch of its own", Types, TPX_KERNEL_TEST_TYPES) {
  const typename Types::space exec;
  std::vector<std::int64_t> out(100, -1);
  kernel::for_groups(exec, "test", 100, SumThroughScratch{50, out.data()}, 64 + 50 * 8);
  exec.fence();
  for (std::int64_t i = 0; i < 100; ++i)
    CHECK(out[static_cast<std::size_t>(i)] == (49 * 25 + 50 * i) * 1000 + 49 + i);
  kernel::for_groups(exec, "test", 0, SumThroughScratch{50, nullptr}, 64 + 50 * 8);
  CHECK_THROWS_WITH_AS(kernel::for_groups(exec, "test", 1, SumThroughScratch{1, nullptr}, std::size_t{1} << 40),
                       doctest::Contains("scratch_bytes = 1099511627776"), tpx::Error);
}

#ifdef KOKKOS_ENABLE_OPENMP
TEST_CASE("a team is a group too, as on a device") {
  const Kokkos::OpenMP exec;
  std::vector<std::int64_t> out(100, -1);
  kernel::impl::for_teams(exec, "test", 100, SumThroughScratch{50, out.data()}, 64 + 50 * 8);
  exec.fence();
  for (std::int64_t i = 0; i < 100; ++i)
    CHECK(out[static_cast<std::size_t>(i)] == (49 * 25 + 50 * i) * 1000 + 49 + i);
}
#endif

TEST_CASE_TEMPLATE("permute swaps the two outer dims", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& [n0, n1, n2] : {std::array<std::int64_t, 3>{3, 5, 7},
                                   {1, 4, 2},
                                   {4, 1, 2},
                                   {37, 19, 1},
                                   {1, 1, 1},
                                   {0, 3, 2},
                                   {3, 0, 2},
                                   {3, 2, 0}}) {
    const auto x = noise(n0 * n1 * n2, 1);
    const auto src = to<T>(x);
    auto dst = unset<T>(n0 * n1 * n2);
    kernel::permute(exec, src.data(), dst.data(), n0, n1, n2);
    exec.fence();
    auto expected = reference::zeros(n0 * n1 * n2);
    for (std::int64_t i = 0; i < n0; ++i) {
      for (std::int64_t j = 0; j < n1; ++j) {
        for (std::int64_t c = 0; c < n2; ++c) {
          expected[reference::at((j * n0 + i) * n2 + c)] = x[reference::at((i * n1 + j) * n2 + c)];
        }
      }
    }
    CHECK(difference(dst, expected) == 0);
  }
}

TEST_CASE_TEMPLATE("copy_block moves a block and touches nothing else", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  // Of rows that are less than a piece, some pieces and a rest, and more than is taken in pieces.
  for (const std::size_t columns : {4U, 150U, 2100U}) {
    const std::size_t from = columns + 7, to_stride = columns + 5;
    const auto x = noise(static_cast<std::int64_t>(6 * from), 2);
    const auto src = to<T>(x);
    std::vector<T> dst(5 * to_stride, T(7));
    const auto i64 = [](std::size_t n) { return static_cast<std::int64_t>(n); };
    kernel::copy_block(exec, src.data() + 2, i64(from), dst.data() + 3, i64(to_stride), 5, i64(columns));
    kernel::copy_block(exec, src.data(), i64(from), dst.data(), i64(to_stride), 0, i64(columns));
    kernel::copy_block(exec, src.data(), i64(from), dst.data(), i64(to_stride), 5, 0);
    exec.fence();
    reference::Array expected(5 * to_stride, 7.0);
    for (std::size_t r = 0; r < 5; ++r) {
      for (std::size_t c = 0; c < columns; ++c) expected[r * to_stride + 3 + c] = x[r * from + 2 + c];
    }
    CHECK(difference(dst, expected) == 0);
  }
}

TEST_CASE_TEMPLATE("copy, fill, accumulate, scale, add", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const std::int64_t n : {0, 1, 17, 40000}) {
    const auto x = noise(n, 3), y = noise(n, 4);
    const auto a = to<T>(x), b = to<T>(y);
    auto out = unset<T>(n);
    kernel::copy(exec, a.data(), out.data(), n);
    exec.fence();
    CHECK(difference(out, x) == 0);
    kernel::accumulate(exec, b.data(), out.data(), n);
    exec.fence();
    auto expected = x;
    for (std::size_t i = 0; i < x.size(); ++i) expected[i] += y[i];
    CHECK(difference(out, expected) < tolerance<T>(2));
    auto sum = unset<T>(n);
    kernel::add(exec, a.data(), b.data(), sum.data(), n);
    exec.fence();
    CHECK(sum == out);
    kernel::scale(exec, sum.data(), sum.data(), n, 0.5);
    exec.fence();
    for (double& v : expected) v *= 0.5;
    CHECK(difference(sum, expected) < tolerance<T>(2));
    kernel::fill(exec, out.data(), n, 3);
    exec.fence();
    CHECK(out == std::vector<T>(static_cast<std::size_t>(n), T(3)));
  }
}
