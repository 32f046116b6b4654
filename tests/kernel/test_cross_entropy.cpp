// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/cross_entropy.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

namespace {

/// What ranks that hold `parts` equal shares of the columns find, put together as they would.
template <class T, class Exec>
void check(const Exec& exec, std::int64_t rows, std::int64_t columns, std::int64_t valid, std::int64_t parts,
           double shift = 0) {
  CAPTURE(rows);
  CAPTURE(columns);
  CAPTURE(valid);
  CAPTURE(parts);
  auto logits = noise(rows * columns, 1, 8.0);
  for (double& x : logits) x = static_cast<double>(static_cast<T>(x + shift));
  // Padding holds the largest numbers of all: were it counted, nothing would fit.
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = valid; c < columns; ++c) logits[reference::at(r * columns + c)] = 100 + shift;
  }
  std::vector<std::int32_t> target(reference::at(rows));
  for (std::size_t r = 0; r < target.size(); ++r) {
    target[r] = static_cast<std::int32_t>((r * 5 + 1) % static_cast<std::size_t>(valid));
  }
  const double scale = rows > 0 ? 1.0 / static_cast<double>(rows) : 1.0;
  const std::int64_t local = columns / parts;
  const T dloss = T(1.5);
  std::vector<std::vector<T>> shard;
  for (std::int64_t p = 0; p < parts; ++p) {
    reference::Array piece;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < local; ++c)
        piece.push_back(logits[reference::at(r * columns + p * local + c)]);
    }
    shard.push_back(to<T>(piece));
  }
  std::vector<T> largest(reference::at(rows), -std::numeric_limits<T>::infinity());
  std::vector<T> sum(reference::at(rows)), target_logit(reference::at(rows));
  for (std::int64_t p = 0; p < parts; ++p) {
    auto part = unset<T>(rows);
    kernel::row_max(exec, shard[reference::at(p)].data(), rows, {local, p * local, valid}, part.data());
    exec.fence();
    for (std::size_t r = 0; r < part.size(); ++r) {
      CHECK(!std::isnan(part[r]));
      largest[r] = std::max(largest[r], part[r]);
    }
  }
  for (std::int64_t p = 0; p < parts; ++p) {
    auto part = unset<T>(rows), logit = unset<T>(rows);
    kernel::row_sum_exp(exec, shard[reference::at(p)].data(), rows, {local, p * local, valid}, largest.data(),
                        target.data(), part.data(), logit.data());
    exec.fence();
    for (std::size_t r = 0; r < part.size(); ++r) {
      sum[r] += part[r];
      target_logit[r] += logit[r];
    }
  }
  auto loss = unset<T>(1);
  kernel::cross_entropy_finish(exec, largest.data(), sum.data(), target_logit.data(), rows, scale, loss.data());
  exec.fence();
  auto expected = reference::cross_entropy(logits, target, rows, columns, valid);
  CHECK(static_cast<double>(loss[0]) == doctest::Approx(expected.loss * scale).epsilon(tolerance<T>(16)));

  std::vector<T> gradient(reference::at(rows * columns));
  for (std::int64_t p = 0; p < parts; ++p) {
    auto& piece = shard[reference::at(p)];
    kernel::cross_entropy_gradient(exec, piece.data(), rows, {local, p * local, valid}, largest.data(),
                                   sum.data(), target.data(), &dloss, scale, piece.data());
    exec.fence();
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < local; ++c) {
        gradient[reference::at(r * columns + p * local + c)] = piece[reference::at(r * local + c)];
        if (p * local + c >= valid) CHECK(piece[reference::at(r * local + c)] == T(0));
      }
    }
  }
  for (double& x : expected.dlogits) x *= scale * 1.5;
  CHECK(difference(gradient, expected.dlogits) < tolerance<T>(16));
}

}  // namespace

TEST_CASE_TEMPLATE("cross-entropy put together from parts", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  check<T>(exec, 7, 96, 65, 1);
  check<T>(exec, 7, 96, 65, 2);
  check<T>(exec, 7, 96, 65, 3);
  check<T>(exec, 7, 96, 40, 4);  // two parts hold nothing but padding
  check<T>(exec, 100, 5, 5, 5);
  check<T>(exec, 1, 1, 1, 1);
  check<T>(exec, 0, 8, 8, 2);
  check<T>(exec, 3, 48, 48, 2, 500.0);  // exp of a logit overflows
}

TEST_CASE("the oracle's cross-entropy agrees with finite differences") {
  constexpr std::int64_t rows = 3, columns = 6, valid = 5;
  auto x = noise(rows * columns, 1, 3.0);
  const std::vector<std::int32_t> target{0, 4, 2};
  const auto g = reference::cross_entropy(x, target, rows, columns, valid).dlogits;
  constexpr double h = 1e-5;
  reference::Array slope(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + h;
    const double up = reference::cross_entropy(x, target, rows, columns, valid).loss;
    x[i] = at - h;
    slope[i] = (up - reference::cross_entropy(x, target, rows, columns, valid).loss) / (2 * h);
    x[i] = at;
  }
  CHECK(difference(slope, g) < 1e-7);
}
