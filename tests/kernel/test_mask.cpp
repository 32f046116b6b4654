// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/block.hpp>
#include <tpx/kernel/mask.hpp>

#include <array>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

TEST_CASE_TEMPLATE("choosing by a mask, of arrays and of a value", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{5, 7}, {1, 3000}, {200, 1}, {0, 3}, {3, 0}}) {
    const auto x = noise(rows * columns, 1), y = noise(rows * columns, 2);
    const auto a = to<T>(x), b = to<T>(y);
    std::vector<unsigned char> mask(static_cast<std::size_t>(columns));
    for (std::size_t c = 0; c < mask.size(); ++c)
      mask[c] = static_cast<unsigned char>(c % 5 == 3 ? 0 : c % 256);
    reference::Array chosen(x.size()), filled(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const bool set = mask[i % mask.size()] != 0;
      chosen[i] = set ? x[i] : y[i];
      filled[i] = chosen[i] + (set ? 0.5 : y[i]);
    }
    auto z = unset<T>(rows * columns);
    kernel::select(exec, mask.data(), kernel::ArrayOr<T>{a.data()}, kernel::ArrayOr<T>{b.data()}, z.data(),
                   rows, columns);
    exec.fence();
    CHECK(difference(z, chosen) == 0);
    kernel::select(exec, mask.data(), kernel::ArrayOr<T>{nullptr, T(0.5)}, kernel::ArrayOr<T>{b.data()},
                   z.data(), rows, columns, true);
    exec.fence();
    CHECK(difference(z, filled) < tolerance<T>(2));
  }
}

TEST_CASE_TEMPLATE("a part of an array drops the elements that the whole one drops", Types,
                   TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  const auto x = noise(6 * 40, 1);
  const auto whole = to<T>(x);
  auto expected = unset<T>(6 * 40), part = unset<T>(2 * 10);
  kernel::IndexMap all;
  all.ndim = 1;
  all.local_extent[0] = all.global_extent[0] = 6 * 40;
  kernel::IndexMap map;  // rows 3 and 4, columns 20 to 29
  map.ndim = 2;
  for (const auto& [d, local, offset, global] : {std::array<int, 4>{0, 2, 3, 6}, {1, 10, 20, 40}}) {
    map.local_extent[d] = local;
    map.global_offset[d] = offset;
    map.global_extent[d] = global;
  }
  kernel::dropout(exec, whole.data(), expected.data(), all, 5, 6, 0.5);
  std::vector<T> in;
  for (std::size_t r = 3; r < 5; ++r) in.insert(in.end(), &whole[r * 40 + 20], &whole[r * 40 + 30]);
  kernel::dropout(exec, static_cast<const T*>(in.data()), part.data(), map, 5, 6, 0.5);
  exec.fence();
  int dropped = 0;
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t c = 0; c < 10; ++c) {
      CHECK(part[r * 10 + c] == expected[(r + 3) * 40 + c + 20]);
      dropped += part[r * 10 + c] == T(0);
    }
  }
  CHECK(dropped > 0);
  CHECK(dropped < 20);
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK((expected[i] == T(0) || expected[i] == 2 * whole[i]));
  auto again = expected;
  kernel::dropout(exec, whole.data(), again.data(), all, 5, 6, 0.5, true);
  exec.fence();
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(again[i] == 2 * expected[i]);
}

TEST_CASE_TEMPLATE("moving and adding a block", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& [rows, columns, from, into] : {std::array<std::int64_t, 4>{4, 5, 7, 9},
                                                  {1, 300, 300, 300},
                                                  {6, 5, 5, 5},
                                                  {3, 1, 4, 1},
                                                  {0, 2, 2, 2}}) {
    const auto x = noise(rows * from, 1), y = noise(rows * into, 2);
    auto expected = y;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        expected[static_cast<std::size_t>(r * into + c)] = x[static_cast<std::size_t>(r * from + c)];
    const auto in = to<T>(x);
    auto out = to<T>(y);
    kernel::move_block(exec, in.data(), from, out.data(), into, rows, columns);
    exec.fence();
    CHECK(difference(out, expected) == 0);
    kernel::move_block(exec, in.data(), from, out.data(), into, rows, columns, true);
    exec.fence();
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) expected[static_cast<std::size_t>(r * into + c)] *= 2;
    CHECK(difference(out, expected) == 0);
  }
}
