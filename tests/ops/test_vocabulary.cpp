// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/cross_entropy.hpp>
#include <tpx/ops/embedding.hpp>

#include <vector>

#include "support/check_op.hpp"
#include "support/reference.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

std::vector<std::int32_t> some_ids(int n, int vocabulary) {
  std::vector<std::int32_t> ids;
  for (int i = 0; i < n; ++i) ids.push_back((i * 7 + i / 5) % vocabulary);
  return ids;
}

Values as_values(const std::vector<std::int32_t>& ids) { return Values(ids.begin(), ids.end()); }

struct Logits {
  std::int64_t valid;
  std::vector<std::int32_t> target = some_ids(48, static_cast<int>(valid));
  Values logits = random_values(48 * 24, 3);

  template <class T, class Mesh, class Op, class LL, class LT>
  void check(const World& world, const Mesh& mesh, Op op, unsigned over, LL ll, LT lt) const {
    const auto expected = reference::cross_entropy(logits, target, 48, 24, valid);
    Values gradient = expected.dlogits;
    for (double& v : gradient) v *= 0.7 / 48;
    const std::int64_t sent = mesh.grid().ranks(over) > 1 ? 2 : 0;
    check_op<T>(world, mesh, op, {expected.loss / 48}, {0.7}, {gradient, Values{}}, sent,
                given<T>(ll, {12, 4, 24}, logits), given<std::int32_t>(lt, {12, 4}, as_values(target)));
  }
};

}  // namespace

TEST_CASE("embedding in every placement of ids and table") {
  const auto id = some_ids(48, 24);
  const Values table = random_values(24 * 12, 1), dy = random_values(48 * 12, 2);
  const Values y = reference::embedding(id, table, 24, 12);
  const Values dtable = reference::embedding_backward(id, dy, 24, 12);
  const auto op = [](const auto& i, const auto& t) { return embedding(i, t); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto li, auto lt) {
      check_op<T>(world, mesh, op, y, dy, {Values{}, dtable}, 0,
                  given<std::int32_t>(li, {12, 4}, as_values(id)), given<T>(lt, {24, 12}, table));
    };
    check(0.0, layout<>, layout<>);
    check(0.0, layout<>, layout<Replicate<tp>>);
    check(0.0, layout<Replicate<tp>>, layout<>);
    check(0.0, layout<>, layout<Shard<0, tp>>);
    check(0.0, layout<>, layout<Shard<1, tp>>);
    check(0.0, layout<>, layout<Partial<tp>>);
    check(0.0, layout<Shard<0, tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>>, layout<Replicate<dp>, Shard<0, tp>>);
    check(0.0, layout<Shard<0, dp>>, layout<Replicate<dp>, Shard<1, tp>>);
    check(0.0, layout<>, layout<Shard<0, dp, tp>>);
    check(0.0f, layout<Shard<0, dp>>, layout<Replicate<dp>, Shard<0, tp>>);
  });
}

TEST_CASE("cross entropy in every placement of the logits, with and without padded classes") {
  // 5 of 24 classes: with four ranks along tp the last three hold nothing but padding.
  for (const int valid : {24, 22, 5}) {
    CAPTURE(valid);
    const Logits l{valid};
    const auto plain = [&](const auto& x, const auto& t) { return cross_entropy(x, t, {valid}); };
    const auto over_tp = [&](const auto& x, const auto& t) { return cross_entropy<over<tp>>(x, t, {valid}); };
    const auto over_both = [&](const auto& x, const auto& t) {
      return cross_entropy<over<dp, tp>>(x, t, {valid});
    };
    for_each_mesh([&](const World& world, const auto& mesh) {
      l.check<double>(world, mesh, plain, 0, layout<>, layout<>);
      l.check<double>(world, mesh, plain, 0, layout<Replicate<tp>>, layout<>);
      l.check<double>(world, mesh, plain, 0, layout<Shard<0, dp>>, layout<Shard<0, dp>>);
      l.check<double>(world, mesh, plain, 0, layout<Shard<0, dp, tp>>, layout<Shard<0, dp, tp>>);
      l.check<double>(world, mesh, over_tp, 2, layout<Shard<2, tp>>, layout<>);
      l.check<double>(world, mesh, over_tp, 2, layout<Shard<2, tp>, Replicate<dp>>, layout<Replicate<tp>>);
      l.check<double>(world, mesh, over_tp, 2, layout<Shard<0, dp>, Shard<2, tp>>, layout<Shard<0, dp>>);
      l.check<double>(world, mesh, over_both, 3, layout<Shard<2, dp, tp>>, layout<>);
      l.check<float>(world, mesh, over_tp, 2, layout<Shard<0, dp>, Shard<2, tp>>, layout<Shard<0, dp>>);
    });
  }
}

TEST_CASE("cross entropy over an axis sends two all-reduces, of the local rows and of twice those") {
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto logits = zeros<double>(mesh, layout<Shard<0, dp>, Shard<2, tp>>, {12, 4, 24});
    const auto target = zeros<std::int32_t>(mesh, layout<Shard<0, dp>>, {12, 4});
    world.log().clear();
    world.log().keep_order(true);
    (void)cross_entropy<over<tp>>(logits, target);
    world.log().keep_order(false);
    const std::int64_t rows = 48 / mesh.template size<dp>();
    const int ranks = mesh.template size<tp>();
    std::vector<comm::CommCall> expected;
    if (ranks > 1)
      expected = {{"tp", comm::Collective::all_reduce, ranks, rows, Element::f64},
                  {"tp", comm::Collective::all_reduce, ranks, 2 * rows, Element::f64}};
    CHECK(world.log().calls() == expected);
  });
}

TEST_CASE("ids that are none, and extents that differ, are refused on every rank") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto table = zeros<double>(mesh, layout<Shard<0, tp>>, {12, 4});
    const auto logits = zeros<double>(mesh, layout<>, {3, 12});
    for (const std::int32_t wrong : {-1, 12}) {
      const auto id = full<std::int32_t>(mesh, layout<>, {3}, wrong);
      CHECK_THROWS_WITH_AS(embedding(id, table), doctest::Contains("less than the vocabulary"), Error);
      CHECK_THROWS_WITH_AS(cross_entropy(logits, id), doctest::Contains("less than the vocabulary"), Error);
    }
    const auto id = full<std::int32_t>(mesh, layout<>, {3}, 7);
    CHECK_NOTHROW(cross_entropy(logits, id, {8}));
    CHECK_THROWS_WITH_AS(cross_entropy(logits, id, {7}), doctest::Contains("outside = 3"), Error);
    CHECK_THROWS_WITH_AS(cross_entropy(logits, id, {13}), doctest::Contains("valid = 13"), Error);
    const auto four = zeros<std::int32_t>(mesh, layout<>, {4});
    CHECK_THROWS_WITH_AS(cross_entropy(logits, four),
                         doctest::Contains("f64[3,12]; targets.describe() = i32[4]"), Error);
  });
}
