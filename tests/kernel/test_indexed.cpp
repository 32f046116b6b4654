// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/indexed.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

namespace {

std::vector<std::int32_t> ids(std::int64_t n, std::int32_t vocabulary) {
  std::vector<std::int32_t> id(static_cast<std::size_t>(n));
  for (std::size_t r = 0; r < id.size(); ++r) id[r] = static_cast<std::int32_t>(r * r * 7 + 3 * r) % vocabulary;
  return id;
}

}  // namespace

TEST_CASE_TEMPLATE("the parts of a split table add up to the whole, forward and backward", Types,
                   TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  constexpr std::int32_t vocabulary = 12;
  for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{50, 70}, {7, 3}, {0, 4}, {4, 0}}) {
    const auto id = ids(rows, vocabulary);
    const auto table = noise(vocabulary * columns, 1), dy = noise(rows * columns, 2);
    const auto before = noise(vocabulary * columns, 3);
    const auto tablef = to<T>(table), dyf = to<T>(dy);
    auto sum = std::vector<T>(static_cast<std::size_t>(rows * columns));
    auto dtable = to<T>(before), atomic = to<T>(before);
    for (std::int32_t first = 0; first < vocabulary; first += 5) {
      const std::int64_t local = std::min(5, vocabulary - first);
      auto y = unset<T>(rows * columns);
      const kernel::IndexedRows n{1, rows, columns, first, local};
      kernel::select_indexed(exec, id.data(), tablef.data() + first * columns, y.data(), n);
      kernel::add_indexed(exec, id.data(), dyf.data(), dtable.data() + first * columns, n);
      kernel::for_groups(
          exec, "atomic", rows,
          kernel::impl::AddRowsAtomic<T>{id.data(), dyf.data(), atomic.data() + first * columns, n});
      exec.fence();
      for (std::size_t i = 0; i < y.size(); ++i) sum[i] += y[i];
    }
    CHECK(difference(sum, reference::embedding(id, table, vocabulary, columns)) == 0);
    auto expected = reference::embedding_backward(id, dy, vocabulary, columns);
    for (std::size_t i = 0; i < before.size(); ++i) expected[i] += before[i];
    CHECK(difference(dtable, expected) < tolerance<T>(16));
    CHECK(difference(atomic, expected) < tolerance<T>(16));
  }
}

TEST_CASE_TEMPLATE("ids outside the vocabulary are counted and read as zero", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  const std::vector<std::int32_t> id{0, 4, 5, -1, 2147483647, 3};
  std::int32_t count = -1;
  kernel::count_outside(exec, id.data(), 6, 5, &count);
  exec.fence();
  CHECK(count == 3);
  kernel::count_outside(exec, id.data(), 0, 5, &count);
  exec.fence();
  CHECK(count == 0);
  const std::vector<T> table(5, T(2));
  auto y = unset<T>(6);
  kernel::select_indexed(exec, id.data(), table.data(), y.data(), {1, 6, 1, 0, 5});
  exec.fence();
  CHECK(y == std::vector<T>{2, 2, 0, 0, 0, 2});
}

TEST_CASE_TEMPLATE("rows of an inner dim are taken and added", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  constexpr std::int64_t outer = 3, held = 5, count = 7, columns = 66;
  const std::vector<std::int32_t> index{4, 0, 0, 3, 4, 4, 1};
  const auto x = noise(outer * held * columns, 1), y = noise(outer * count * columns, 2);
  const auto xf = to<T>(x), yf = to<T>(y);
  auto taken = yf, added = xf, atomic = xf;
  auto expected = y, sum = x;
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t r = 0; r < count; ++r)
      for (std::int64_t c = 0; c < columns; ++c) {
        const auto from =
            static_cast<std::size_t>((o * held + index[static_cast<std::size_t>(r)]) * columns + c);
        const auto to_row = static_cast<std::size_t>((o * count + r) * columns + c);
        expected[to_row] += x[from];
        sum[from] += y[to_row];
      }
  const kernel::IndexedRows n{outer, count, columns, 0, held};
  kernel::select_indexed(exec, index.data(), xf.data(), taken.data(), n, true);
  kernel::add_indexed(exec, index.data(), yf.data(), added.data(), n);
  kernel::for_groups(exec, "atomic", outer * count,
                     kernel::impl::AddRowsAtomic<T>{index.data(), yf.data(), atomic.data(), n});
  exec.fence();
  CHECK(difference(taken, expected) < tolerance<T>(4));
  CHECK(difference(added, sum) < tolerance<T>(16));
  CHECK(difference(atomic, sum) < tolerance<T>(16));
}
