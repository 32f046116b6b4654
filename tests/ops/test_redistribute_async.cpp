// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/threads.hpp>
#include <tpx/ops/redistribute_async.hpp>

#include <string_view>
#include <utility>
#include <vector>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr std::int64_t whole_extents[2] = {11, 25};
constexpr std::int64_t size = 11 * 25;

template <class F>
std::vector<comm::CommCall> calls_of(const World& world, F f) {
  world.log().clear();
  world.log().keep_order(true);
  f();
  world.log().keep_order(false);
  return world.log().calls();
}

/// The value, the gradient and the calls are those of redistribute.
template <class To, class From, class Mesh>
void check(const World& world, const Mesh& mesh, From from, To) {
  const Values x = random_values(size, 1), dy = random_values(size, 2);
  Tape<Mesh> tape(mesh);
  const auto leaf = tape.watch(put(mesh, given<double>(from, whole_extents, x)));
  const auto expected = calls_of(world, [&] { (void)redistribute<To>(leaf); });
  tape.clear();
  const auto again = tape.watch(put(mesh, given<double>(from, whole_extents, x)));
  CAPTURE(again.describe());
  const auto started = calls_of(world, [&] {
    auto h = redistribute_async<To>(again);
    const auto y = h.wait();
    CAPTURE(y.describe());
    CHECK(off(gather(y), x) <= 1e-12);
    if (detail::no_axis_is(decltype(y)::spec, Kind::partial))
      CHECK(off(local_values(y), shard_of<double>(y.shape(), y.spec, mesh.grid(), x)) <= 1e-12);
    world.log().keep_order(false);
    backward(weighted_sum(y, dy));
  });
  CHECK(std::vector<comm::CommCall>(started.begin(), started.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                           started.size(), expected.size()))) ==
        expected);
  CHECK(off(gather(tape.gradient(again)), dy) <= 1e-12);
}

}  // namespace

TEST_CASE("an asynchronous redistribution is a redistribution, of every kind") {
  const std::int64_t limit = comm::detail::max_count();
  for (const std::int64_t longest : {limit, std::int64_t{7}}) {
    CAPTURE(longest);
    comm::detail::max_count() = longest;
    for_each_mesh([&](const World& world, const auto& mesh) {
      check(world, mesh, layout<Partial<tp>>, layout<>);
      check(world, mesh, layout<Partial<dp, tp>>, layout<Replicate<dp, tp>>);
      check(world, mesh, layout<Shard<0, Balanced, tp>>, layout<>);
      check(world, mesh, layout<Shard<1, Balanced, tp>>, layout<Replicate<tp>>);
      check(world, mesh, layout<Partial<tp>>, layout<Shard<1, Balanced, tp>>);
      check(world, mesh, layout<Partial<dp>, Shard<0, Balanced, tp>>, layout<Shard<0, Balanced, tp, dp>>);
      check(world, mesh, layout<Shard<0, Balanced, dp>>, layout<Shard<1, Balanced, dp>>);
      check(world, mesh, layout<Shard<0, Balanced, dp, tp>>, layout<Shard<0, Balanced, tp, dp>>);
      check(world, mesh, layout<Shard<0, Balanced, dp, tp>>, layout<Shard<1, Balanced, tp, dp>>);
      check(world, mesh, layout<Replicate<tp>>, layout<Shard<0, Balanced, tp>>);
      check(world, mesh, layout<Shard<0, Balanced, dp>, Partial<tp>>, layout<Shard<1, Balanced, dp>>);
      check(world, mesh, layout<>, layout<Partial<tp>>);
    });
  }
  comm::detail::max_count() = limit;
}

TEST_CASE("Ragged pieces come and go asynchronously as at once, and their gradients") {
  const Values x = random_values(size, 4), dy = random_values(size, 5);
  for_each_mesh([&](const World&, const auto& mesh) {
    const int p = mesh.template size<tp>();
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(p), 0);  // the first has none of several
    for (std::int64_t i = 0; i < whole_extents[0]; ++i) ++sizes[static_cast<std::size_t>(p - 1 - i % p % 2)];
    const auto cut = extents({11, 25}).with_pieces(0, sizes);
    Tape tape(mesh);
    const auto leaf = tape.watch(put(mesh, given<double>(layout<Shard<1, Balanced, tp>>, whole_extents, x)));
    auto h = redistribute_async<Shard<0, Ragged, tp>>(leaf, cut.shape());
    const auto ragged = h.wait();
    CHECK(local_values(ragged) == local_values(redistribute<Shard<0, Ragged, tp>>(leaf, cut.shape())));
    auto back = redistribute_async<Replicate<tp>>(ragged);
    const auto y = back.wait();
    CHECK(off(gather(y), x) <= 1e-12);
    backward(weighted_sum(y, dy));
    CHECK(off(gather(tape.gradient(leaf)), dy) <= 1e-12);
  });
}

TEST_CASE("handles are under way together, among other collectives, and are asked whether they are ready") {
  const Values x = random_values(24 * 24, 3);
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto split = put(mesh, given<double>(layout<Shard<0, dp, tp>>, {24, 24}, x));
    const auto terms = put(mesh, given<double>(layout<Partial<dp, tp>>, {24, 24}, x));
    auto first = redistribute_async<layout_t<>>(split);
    auto second = redistribute_async<layout_t<>>(terms);
    auto third = redistribute_async<layout_t<Shard<0, tp, dp>>>(split);
    CHECK(off(whole(redistribute<layout_t<>>(terms)), x) <= 1e-12);
    while (!second.ready()) continue;
    CHECK(second.ready());
    std::vector<decltype(first)> moved;
    moved.push_back(std::move(first));
    CHECK(off(whole(second.wait()), x) <= 1e-12);
    CHECK(off(whole(third.wait()), x) <= 1e-12);
    CHECK(off(whole(moved.front().wait()), x) <= 1e-12);
    CHECK_THROWS_WITH_AS((void)first.ready(), doctest::Contains("a handle that was moved away"), Error);
    CHECK_THROWS_WITH_AS((void)second.wait(), doctest::Contains("a handle is waited for once"), Error);
    CHECK_THROWS_WITH_AS((void)second.ready(), doctest::Contains("a handle is waited for once"), Error);
    // The memory of an operand that is gone is kept.
    auto h = redistribute_async<layout_t<>>(put(mesh, given<double>(layout<Shard<1, dp, tp>>, {24, 24}, x)));
    const auto other = zeros<double>(mesh, layout<>, {24, 24});
    CHECK(off(whole(h.wait()), x) <= 1e-12);
    CHECK(whole(other) == Values(24 * 24, 0.0));
    const auto odd = zeros<double>(mesh, layout<>, {5});
    if (mesh.size() > 1)
      CHECK_THROWS_WITH_AS((void)(redistribute_async<layout_t<Shard<0, dp, tp>>>(odd)),
                           doctest::Contains("f64[5@dp@tp]"), Error);
  });
}

TEST_CASE("an error on its way is not hidden by a handle that it leaves behind") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto x = put(mesh, given<double>(layout<Partial<dp, tp>>, {3}, Values{1, 2, 3}));
    const auto fails = [&] {
      auto h = redistribute_async<layout_t<>>(x);
      fail("a file is missing");
      (void)h.wait();
    };
    CHECK_THROWS_WITH_AS(fails(), doctest::Contains("a file is missing"), Error);
    CHECK(off(whole(redistribute<layout_t<>>(x)), {1, 2, 3}) <= 1e-12);
  });
}

#ifdef KOKKOS_ENABLE_SERIAL
TEST_CASE("a communicator without nonblocking calls sends in wait") {
  static_assert(!comm::AsyncCommunicator<comm::Threads>);
  std::vector<char> equal(3, 0);
  comm::run_threads(3, [&](const comm::Threads& world) {
    const auto mesh = make_mesh<tp>(world);
    const auto x = from_function<double>(mesh, layout<Shard<0, tp>>, {6, 2},
                                         [](auto i) { return static_cast<double>(10 * i[0] + i[1]); });
    auto h = redistribute_async<Replicate<tp>>(x);
    const bool ready = h.ready();
    const auto y = h.wait();
    const auto expected = redistribute<Replicate<tp>>(x);
    equal[static_cast<std::size_t>(world.rank())] = ready && local_values(y) == local_values(expected) ? 1 : 0;
  });
  CHECK(equal == std::vector<char>(3, 1));
}

TEST_CASE("a handle whose wait failed may go, and has no value") {
  std::vector<char> told(3, 0);
  const auto fails = [&] {
    comm::run_threads(3, [&](const comm::Threads& world) {
      const auto mesh = make_mesh<tp>(world);
      auto h = redistribute_async<Replicate<tp>>(zeros<double>(mesh, layout<Shard<0, tp>>, {6, 2}));
      if (world.rank() == 0) fail("a file is missing");
      for (const char* text :
           {"rank 0 failed: a file is missing", "a handle whose wait() failed has no value"}) {
        try {
          (void)h.wait();
        } catch (const Error& error) {
          if (std::string_view(error.what()).find(text) != std::string_view::npos)
            ++told[static_cast<std::size_t>(world.rank())];
        }
      }
    });
  };
  CHECK_THROWS_WITH_AS(fails(), doctest::Contains("a file is missing"), Error);
  CHECK(told == std::vector<char>{0, 2, 2});
}
#endif
