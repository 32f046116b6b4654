// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/extreme.hpp>
#include <tpx/ops/norm.hpp>
#include <tpx/ops/reduce.hpp>

#include <cmath>
#include <limits>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr std::size_t extent[3] = {12, 6, 24}, size = 12 * 6 * 24;
constexpr std::int64_t whole_extents[3] = {12, 6, 24};

/// Place in the result of element i of the operand when the dims of `dims` (a bit each) are reduced.
std::size_t place(unsigned dims, std::size_t i) {
  const std::size_t index[3] = {i / (6 * 24), i / 24 % 6, i % 24};
  std::size_t at = 0;
  for (unsigned d = 0; d < 3; ++d)
    if (!(dims >> d & 1u)) at = at * extent[d] + index[d];
  return at;
}
std::size_t results(unsigned dims) { return place(dims, size - 1) + 1; }

/// The largest element for each place of the result, and where it first is.
struct Largest {
  Values y;
  std::vector<std::size_t> at;
  Largest(const Values& x, unsigned dims, double sign) : y(results(dims)), at(results(dims), size) {
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t to = place(dims, i);
      if (at[to] < size && !(sign * x[i] > sign * y[to])) continue;
      y[to] = x[i];
      at[to] = i;
    }
  }
  Values gradient(const Values& dy) const {
    Values dx(size, 0.0);
    for (std::size_t i = 0; i < at.size(); ++i) dx[at[i]] += dy[i];
    return dx;
  }
};

}  // namespace

TEST_CASE("max and min along whole dims in every placement") {
  const Values x = random_values(size, 1);
  constexpr auto all = [](const auto& a) { return max(a); };
  constexpr auto rows = [](const auto& a) { return max<1>(a); };
  constexpr auto last = [](const auto& a) { return min<2>(a); };
  constexpr auto outer = [](const auto& a) { return min<2, 0>(a); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto op, unsigned dims, double sign, auto l) {
      const Largest largest(x, dims, sign);
      const Values dy = random_values(static_cast<std::int64_t>(results(dims)), 2);
      check_op<T>(world, mesh, op, largest.y, dy, {largest.gradient(dy)}, 0, given<T>(l, {12, 6, 24}, x));
    };
    check(0.0, all, 7, 1, layout<>);
    check(0.0, all, 7, 1, layout<Replicate<tp>>);
    check(0.0, rows, 2, 1, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0, rows, 2, 1, layout<Shard<2, Balanced, tp, dp>>);
    check(0.0, last, 4, -1, layout<Shard<1, Balanced, tp>>);
    check(0.0f, last, 4, -1, layout<Shard<0, dp, tp>>);
    check(0.0, outer, 5, -1, layout<Shard<1, Balanced, dp>, Replicate<tp>>);
  });
}

TEST_CASE("max and min along split dims are Partial, each rank the one of its part") {
  // Signs and sizes differ from part to part, so that a sum or a wrong identity shows.
  Values x(size);
  for (std::size_t i = 0; i < size; ++i)
    x[i] = -5 + 3 * std::sin(1.3 * static_cast<double>(i)) * static_cast<double>(1 + i / 144);
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto a =
        put(mesh, given<double>(layout<Shard<0, Balanced, dp>, Shard<2, Balanced, tp>>, {12, 6, 24}, x));
    const std::int64_t before = calls(world.log());
    const auto most = max<0, 2>(a);
    const auto least = min<2>(a);
    CHECK(calls(world.log()) == before);
    static_assert(std::is_same_v<typename decltype(most)::layout_type, layout_t<Partial<Max, dp, tp>>>);
    static_assert(std::is_same_v<typename decltype(least)::layout_type,
                                 layout_t<Shard<0, Balanced, dp>, Partial<Min, tp>>>);
    CHECK(whole(redistribute<Invariant<dp, tp>>(most)) == Largest(x, 5, 1).y);
    CHECK(whole(redistribute<Invariant<tp>>(least)) == Largest(x, 4, -1).y);
    // A piece may be empty: what it says loses against everything.
    const auto few = put(mesh, given<double>(layout<Shard<0, Balanced, dp, tp>>, {1, 3}, Values{-7, -8, -9}));
    CHECK(whole(redistribute<Invariant<dp, tp>>(max(few))) == Values{-7});
    const auto number = put(mesh, given<std::int32_t>(layout<Shard<0, Balanced, dp, tp>>, {2}, Values{-7, -3}));
    CHECK(whole(redistribute<Invariant<dp, tp>>(max<0>(number))) == Values{-3});
    // A NaN of any rank is the largest and the smallest.
    for (const std::size_t i : {std::size_t{0}, size / 2, size - 1}) {
      Values with = x;
      with[i] = std::numeric_limits<double>::quiet_NaN();
      const auto b =
          put(mesh, given<float>(layout<Shard<0, Balanced, dp>, Shard<2, Balanced, tp>>, {12, 6, 24}, with));
      CHECK(std::isnan(item(redistribute<Invariant<dp, tp>>(max(b)))));
      CHECK(std::isnan(item(redistribute<Invariant<dp, tp>>(min(b)))));
    }
    // On a tape too, as long as nothing asks for its gradient.
    Tape tape(mesh);
    CHECK(whole(redistribute<Invariant<dp, tp>>(detach(max(tape.watch(a))))) == Largest(x, 7, 1).y);
  });
}

TEST_CASE("of equal elements the first gets the gradient, and a NaN is the largest and the smallest") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for_each_mesh([&](const World&, const auto& mesh) {
    Tape tape(mesh);
    const auto x = tape.watch(put(mesh, given<double>(layout<>, {2, 4}, Values{1, 3, 3, 2, -1, -1, -1, -1})));
    backward(sum(max<1>(x)));
    CHECK(whole(tape.gradient(x)) == Values{0, 1, 0, 0, 1, 0, 0, 0});
    const auto with = put(mesh, given<double>(layout<>, {3}, Values{1, 2, 3}));
    with.local()(1) = nan;
    CHECK(std::isnan(item(max(with))));
    CHECK(std::isnan(item(min(with))));
    const auto empty = zeros<double>(mesh, layout<>, {3, 0});
    CHECK_THROWS_WITH_AS(max<1>(empty), doctest::Contains("f64[3,0]"), Error);
    CHECK(max<0>(empty).describe() == "f64[0]");
  });
}

TEST_CASE("the norm along dims in every placement") {
  const Values x = random_values(size, 3);
  constexpr auto plain = [](const auto& a) { return norm<2>(a); };
  constexpr auto outer = [](const auto& a) { return norm<0, 2>(a); };
  constexpr auto all = [](const auto& a) { return norm(a); };
  constexpr auto over_tp = [](const auto& a) { return norm<over<tp>, 2>(a); };
  constexpr auto over_both = [](const auto& a) { return norm<over<dp, tp>, 0, 2>(a); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto op, unsigned dims, unsigned over, auto l) {
      Values y(results(dims), 0.0), dx(size);
      const Values dy = random_values(static_cast<std::int64_t>(y.size()), 4);
      for (std::size_t i = 0; i < size; ++i) y[place(dims, i)] += x[i] * x[i];
      for (double& v : y) v = std::sqrt(v);
      for (std::size_t i = 0; i < size; ++i) dx[i] = dy[place(dims, i)] * x[i] / y[place(dims, i)];
      check_op<T>(world, mesh, op, y, dy, {dx}, mesh.grid().ranks(over) > 1 ? 1 : 0,
                  given<T>(l, whole_extents, x));
    };
    check(0.0, plain, 4, 0, layout<>);
    check(0.0, all, 7, 0, layout<Replicate<tp>>);
    check(0.0, plain, 4, 0, layout<Shard<0, dp>, Shard<1, Balanced, tp>>);
    check(0.0, outer, 5, 0, layout<Shard<1, Balanced, dp, tp>>);
    check(0.0, over_tp, 4, 2, layout<Shard<0, dp>, Shard<2, Balanced, tp>>);
    check(0.0, over_both, 5, 3, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0f, over_tp, 4, 2, layout<Shard<2, tp>>);
    Tape tape(mesh);
    const auto zero = tape.watch(zeros<double>(mesh, layout<>, {3}));
    backward(norm(zero));
    CHECK(whole(tape.gradient(zero)) == Values(3, 0.0));
  });
}

TEST_CASE(
    "the norm's squares neither overflow nor vanish in float, also over ranks, which add them in double") {
  for_each_mesh([&](const World& world, const auto& mesh) {
    for (const double unit : {1e-23, 1e20}) {
      Tape tape(mesh);
      const auto x = tape.watch(
          put(mesh, given<float>(layout<Shard<1, Balanced, tp>>, {2, 2}, Values{3 * unit, 4 * unit, 0, 0})));
      world.log().clear();
      world.log().keep_order(true);
      const auto y = norm<over<tp>, 1>(x);
      world.log().keep_order(false);
      const int ranks = mesh.template size<tp>();
      const comm::CommCall call{"tp", comm::Collective::all_reduce, ranks, 2, Element::f64};
      CHECK(world.log().calls() == std::vector<comm::CommCall>(ranks > 1 ? 1 : 0, call));
      CHECK(off(gather(y), {5 * unit, 0}) < 1e-6);
      backward(sum(y));
      CHECK(off(gather(tape.gradient(x)), {.6, .8, 0, 0}) < 1e-6);
    }
  });
}
