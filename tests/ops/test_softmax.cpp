// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/softmax.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr double none = -std::numeric_limits<double>::infinity();

/// x (outer, n, inner) and, as loops, softmax and log-sum-exp along n with their gradients.
struct Lines {
  std::size_t outer, n, inner;
  Values x = random_values(static_cast<std::int64_t>(outer * n * inner), 1);
  Values dy = random_values(static_cast<std::int64_t>(outer * n * inner), 2);
  Values y = x, dx = x, lse = Values(outer * inner),
         dlse = random_values(static_cast<std::int64_t>(outer * inner), 3), dx_of_lse = x;

  Lines(std::size_t a, std::size_t b, std::size_t c) : outer(a), n(b), inner(c) {
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t i = 0; i < inner; ++i) {
        const auto at = [&](std::size_t k) { return (o * n + k) * inner + i; };
        double total = 0, dot = 0;
        for (std::size_t k = 0; k < n; ++k) total += std::exp(x[at(k)]);
        for (std::size_t k = 0; k < n; ++k) y[at(k)] = std::exp(x[at(k)]) / total;
        for (std::size_t k = 0; k < n; ++k) dot += y[at(k)] * dy[at(k)];
        lse[o * inner + i] = std::log(total);
        for (std::size_t k = 0; k < n; ++k) {
          dx[at(k)] = y[at(k)] * (dy[at(k)] - dot);
          dx_of_lse[at(k)] = y[at(k)] * dlse[o * inner + i];
        }
      }
    }
  }
};

}  // namespace

TEST_CASE("softmax and log-sum-exp over a whole dim in every placement") {
  const Lines last{12 * 12, 24, 1}, middle{12, 12, 24}, first{1, 12, 12 * 24};
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, const Lines& x, auto soft, auto lse, auto l) {
      const auto g = given<T>(l, {12, 12, 24}, x.x);
      check_op<T>(world, mesh, soft, x.y, x.dy, {x.dx}, 0, g);
      check_op<T>(world, mesh, lse, x.lse, x.dlse, {x.dx_of_lse}, 0, g);
    };
    const auto along_last = [&]<class T>(T, auto l) {
      check(
          T(0), last, [](const auto& a) { return softmax<2>(a); },
          [](const auto& a) { return log_sum_exp<2>(a); }, l);
    };
    const auto along_middle = [&]<class T>(T, auto l) {
      check(
          T(0), middle, [](const auto& a) { return softmax<1>(a); },
          [](const auto& a) { return log_sum_exp<1>(a); }, l);
    };
    along_last(0.0, layout<>);
    along_last(0.0, layout<Replicate<tp>>);
    along_last(0.0, layout<Shard<0, dp>, Shard<1, tp>>);
    along_last(0.0f, layout<Shard<0, dp, tp>>);
    along_middle(0.0, layout<Shard<0, dp>, Shard<2, tp>>);
    along_middle(0.0, layout<Shard<0, dp>, Replicate<tp>>);
    check(
        0.0, first, [](const auto& a) { return softmax<0>(a); },
        [](const auto& a) { return log_sum_exp<0>(a); }, layout<Shard<2, tp, dp>>);
  });
}

TEST_CASE("softmax and log-sum-exp over a dim that axes split") {
  const Lines last{12 * 12, 24, 1}, middle{12, 12, 24};
  // The backward of softmax over an axis communicates; what it sends is counted below.
  const World elsewhere = world();
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, const Lines& x, auto soft, auto lse, unsigned axes, auto l) {
      const std::int64_t sent = mesh.grid().ranks(axes) > 1 ? 2 : 0;
      const auto g = given<T>(l, {12, 12, 24}, x.x);
      check_op<T>(elsewhere, mesh, soft, x.y, x.dy, {x.dx}, 0, g);
      check_op<T>(world, mesh, lse, x.lse, x.dlse, {x.dx_of_lse}, sent, g);
    };
    const auto soft = [](const auto& a) { return softmax<over<tp>, 2>(a); };
    const auto lse = [](const auto& a) { return log_sum_exp<over<tp>, 2>(a); };
    check(0.0, last, soft, lse, 2, layout<Shard<2, tp>>);
    check(0.0, last, soft, lse, 2, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0f, last, soft, lse, 2, layout<Replicate<dp>, Shard<2, tp>>);
    check(
        0.0, middle, [](const auto& a) { return softmax<over<dp, tp>, 1>(a); },
        [](const auto& a) { return log_sum_exp<over<dp, tp>, 1>(a); }, 3, layout<Shard<1, tp, dp>>);
  });
}

TEST_CASE("softmax over an axis sends the rows' maxima, sums, and backward their inner products") {
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto x = zeros<double>(mesh, layout<Shard<0, dp>, Shard<2, tp>>, {12, 4, 24});
    Tape tape(mesh);
    const auto y = weighted_sum(softmax<over<tp>, 2>(tape.watch(x)), random_values(12 * 4 * 24, 1));
    world.log().clear();
    world.log().keep_order(true);
    (void)softmax<over<tp>, 2>(x);
    backward(y);
    world.log().keep_order(false);
    const std::int64_t rows = 48 / mesh.template size<dp>();
    const int ranks = mesh.template size<tp>();
    const comm::CommCall call{"tp", comm::Collective::all_reduce, ranks, rows, Element::f64};
    CHECK(world.log().calls() ==
          (ranks > 1 ? std::vector<comm::CommCall>(3, call) : std::vector<comm::CommCall>{}));
  });
}

TEST_CASE("large elements do not overflow, and masked ones count for nothing") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const Values x{1000, 1000, none, none, none, none, none, none, none, -1000, none, none};  // (2, 6)
    const auto given_x = given<double>(layout<>, {2, 6}, x);
    const auto rows = put(mesh, given_x);
    CHECK(gather(softmax<1>(rows)) == std::vector<double>{0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0});
    const auto lse = gather(log_sum_exp<1>(rows));
    CHECK(lse[0] == doctest::Approx(1000 + std::log(2.0)));
    CHECK(lse[1] == -1000);
  });
}

TEST_CASE("a line of nothing but -infinity has softmax 0, log-sum-exp -infinity, and gradient 0") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto x = full<double>(mesh, layout<Shard<1, tp>>, {2, 12}, none);
    Tape tape(mesh);
    const auto leaf = tape.watch(x);
    const auto soft = softmax<over<tp>, 1>(leaf);
    const auto lse = log_sum_exp<over<tp>, 1>(leaf);
    CHECK(gather(soft) == std::vector<double>(24, 0.0));
    CHECK(gather(lse) == std::vector<double>(2, none));
    backward(weighted_sum(soft, Values(24, 1.0)));
    CHECK(gather(tape.gradient(leaf)) == std::vector<double>(24, 0.0));
    tape.clear();
    const auto again = tape.watch(x);
    backward(weighted_sum(log_sum_exp<over<tp>, 1>(again), Values(2, 1.0)));
    CHECK(gather(tape.gradient(again)) == std::vector<double>(24, 0.0));
  });
}

TEST_CASE("of +infinity log-sum-exp is +infinity, and softmax NaN along its line alone") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto check = [&]<class T>(T) {
      for (const std::size_t at : {0u, 7u, 11u}) {
        Values values(4 * 12, 100.0), lse{-none, -none, nan, 100 + std::log(12.0)};
        for (std::size_t line = 0; line < 3; ++line) values[line * 12 + at] = -none;
        for (std::size_t i = 0; i < 12; ++i) values[12 + i] = i == at ? -none : none;
        values[2 * 12 + (at + 1) % 12] = nan;
        Tape tape(mesh);
        const auto x = tape.watch(put(mesh, given<T>(layout<Shard<1, tp>>, {4, 12}, values)));
        const auto y = log_sum_exp<over<tp>, 1>(x);
        const Values is = whole(y), soft = whole(softmax<over<tp>, 1>(x));
        CHECK(is[0] == lse[0]);
        CHECK(is[1] == lse[1]);
        CHECK(std::isnan(is[2]));
        CHECK(is[3] == doctest::Approx(lse[3]));
        backward(weighted_sum(y, Values(4, 1.0)));
        const Values dx = whole(tape.gradient(x));
        for (std::size_t i = 0; i < soft.size(); ++i) {
          CHECK(std::isnan(soft[i]) == (i < 36));
          CHECK(std::isnan(dx[i]) == (i < 24 ? i % 12 == at : i < 36));
          if (i < 24 && i % 12 != at) CHECK(dx[i] == 0);
        }
      }
    };
    check(0.0);
    check(0.0f);
  });
}
