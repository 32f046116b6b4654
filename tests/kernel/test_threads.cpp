// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/attention.hpp>
#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/cross_entropy.hpp>
#include <tpx/kernel/elementwise.hpp>
#include <tpx/kernel/gemm.hpp>
#include <tpx/kernel/indexed.hpp>
#include <tpx/kernel/norm.hpp>
#include <tpx/kernel/optimizer.hpp>
#include <tpx/kernel/random.hpp>
#include <tpx/kernel/reduce.hpp>

#include <thread>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

#ifdef KOKKOS_ENABLE_SERIAL

namespace {

/// Runs every kind of kernel on inputs of `seed`; everything computed, one after the other.
std::vector<float> run_all(std::uint64_t seed) {
  const Kokkos::Serial exec;
  constexpr std::int64_t n = 48, size = n * n;
  const auto x = to<float>(noise(size, seed)), w = to<float>(noise(size, seed + 1)),
             b = to<float>(noise(n, seed + 2));
  std::vector<std::int32_t> id(n);
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::int32_t>((i * 5 + seed) % n);
  std::vector<float> all;
  const auto keep = [&](const std::vector<float>& v) { all.insert(all.end(), v.begin(), v.end()); };
  std::vector<float> y(size), dy(size), mean(n), rstd(n), db(n), db2(n), one(1);

  kernel::gemm(exec, kernel::Transpose::no, kernel::Transpose::yes, n, n, n, 1, x.data(), w.data(), 0,
               y.data());
  keep(y);
  kernel::bias_add(exec, y.data(), b.data(), y.data(), n, n);
  kernel::unary(exec, kernel::GeluTanh{}, y.data(), y.data(), size);
  keep(y);
  kernel::bias_gradient(exec, y.data(), db.data(), n, n);
  keep(db);
  kernel::layer_norm(exec, x.data(), b.data(), b.data(), y.data(), mean.data(), rstd.data(), n, n, 1e-5);
  keep(y);
  kernel::layer_norm_backward(exec, x.data(), b.data(), mean.data(), rstd.data(), w.data(), dy.data(),
                              db.data(), db2.data(), n, n);
  keep(dy);
  keep(db2);
  const kernel::AttentionShape shape{1, n, n, 3, 3, 16, true, 0.25};
  std::vector<float> lse(3 * n), delta(3 * n), dk(size), dv(size);
  kernel::attention(exec, shape, x.data(), w.data(), x.data(), y.data(), lse.data());
  kernel::attention_backward(exec, shape, x.data(), w.data(), x.data(), y.data(), lse.data(), w.data(),
                             delta.data(), dy.data(), dk.data(), dv.data());
  keep(y);
  keep(dy);
  keep(dk);
  keep(dv);
  kernel::select_indexed(exec, id.data(), w.data(), y.data(), {1, n, n, 0, n});
  kernel::add_indexed(exec, id.data(), x.data(), y.data(), {1, n, n, 0, n});
  keep(y);
  const kernel::Classes classes{n, 0, n - 3};
  std::vector<float> target_logit(n);
  kernel::row_max(exec, x.data(), n, classes, mean.data());
  kernel::row_sum_exp(exec, x.data(), n, classes, mean.data(), id.data(), rstd.data(), target_logit.data());
  kernel::cross_entropy_finish(exec, mean.data(), rstd.data(), target_logit.data(), n, 0.1, one.data());
  keep(one);
  kernel::cross_entropy_gradient(exec, x.data(), n, classes, mean.data(), rstd.data(), id.data(), one.data(),
                                 0.1, dy.data());
  keep(dy);
  kernel::sum(exec, x.data(), size, one.data());
  keep(one);
  double squares = 0;
  kernel::sum_squares_accumulate(exec, x.data(), size, &squares);
  all.push_back(static_cast<float>(squares));
  kernel::fill_normal(exec, y.data(), kernel::IndexMap{2, {n, n}, {0, 0}, {n, n}}, seed, 1, 0, 1);
  keep(y);
  kernel::fill(exec, dk.data(), size, 0);
  kernel::fill(exec, dv.data(), size, 0);
  kernel::adamw(exec, size, y.data(), x.data(), dk.data(), dv.data(), kernel::AdamW{.correction1 = 0.1});
  kernel::permute(exec, y.data(), dy.data(), 6, 8, n);
  keep(dy);
  return all;
}

}  // namespace

TEST_CASE("kernels of four threads on the Serial space do not disturb each other") {
  constexpr std::uint64_t threads = 4, rounds = 25;
  std::vector<std::vector<float>> expected;
  for (std::uint64_t t = 0; t < threads; ++t) expected.push_back(run_all(100 * t + 1));
  CHECK(expected[0] != expected[1]);
  for (const float v : expected[0]) REQUIRE(std::isfinite(v));
  std::vector<std::uint64_t> agree(threads, 0);
  std::vector<std::thread> pool;
  for (std::uint64_t t = 0; t < threads; ++t) {
    pool.emplace_back([&, t] {
      for (std::uint64_t r = 0; r < rounds; ++r) agree[t] += run_all(100 * t + 1) == expected[t] ? 1 : 0;
    });
  }
  for (std::thread& thread : pool) thread.join();
  for (std::uint64_t t = 0; t < threads; ++t) CHECK(agree[t] == rounds);
}

#endif
