// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/shape.hpp>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// dst[o, to + j, i] = src[o, from + j, i], j < n: a part of the middle one of three dims.
struct Part {
  std::size_t outer, inner;
  void copy(const Values& src, std::size_t src_n, std::size_t from, Values& dst, std::size_t dst_n,
            std::size_t to, std::size_t n) const {
    for (std::size_t o = 0; o < outer; ++o)
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t i = 0; i < inner; ++i)
          dst[(o * dst_n + to + j) * inner + i] = src[(o * src_n + from + j) * inner + i];
  }
};

}  // namespace

TEST_CASE("transpose in every placement") {
  const Values x = random_values(12 * 2 * 24, 1), dy = random_values(12 * 2 * 24, 2);
  Values cycled(x.size()), swapped(x.size()), dcycled(x.size()), dswapped(x.size());
  for (std::size_t i = 0; i < 12; ++i)
    for (std::size_t j = 0; j < 2; ++j)
      for (std::size_t k = 0; k < 24; ++k) {
        const std::size_t at = (i * 2 + j) * 24 + k, cycle = (k * 12 + i) * 2 + j, swap = (j * 12 + i) * 24 + k;
        cycled[cycle] = swapped[swap] = x[at];
        dcycled[at] = dy[cycle];
        dswapped[at] = dy[swap];
      }
  const auto cycle = [](const auto& a) { return transpose<2, 0, 1>(a); };
  const auto swap = [](const auto& a) { return transpose<1, 0, 2>(a); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto l) {
      const auto g = given<T>(l, {12, 2, 24}, x);
      check_op<T>(world, mesh, cycle, cycled, dy, {dcycled}, 0, g);
      check_op<T>(world, mesh, swap, swapped, dy, {dswapped}, 0, g);
    };
    check(0.0, layout<>);
    check(0.0, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0, layout<Shard<2, tp, dp>>);
    check(0.0, layout<Shard<0, dp>, Partial<tp>>);
    check(0.0f, layout<Shard<2, dp>, Shard<0, tp>>);
    const auto z = zeros<double>(mesh, layout<Shard<2, tp, dp>>, {12, 2, 24});
    static_assert(std::is_same_v<typename decltype(cycle(z))::layout_type, layout_t<Shard<0, tp, dp>>>);
    static_assert(std::is_same_v<decltype(transpose<1, 2, 0>(cycle(z))), std::decay_t<decltype(z)>>);
  });
}

TEST_CASE("slice in every placement") {
  const Values x = random_values(12 * 5 * 24, 1), dy = random_values(12 * 3 * 24, 2);
  Values y(dy.size()), dx(x.size(), 0.0);
  Part{12, 24}.copy(x, 5, 1, y, 3, 0, 3);
  Part{12, 24}.copy(dy, 3, 0, dx, 5, 1, 3);
  Values first(5 * 24), dfirst(x.size(), 0.0);  // of dim 0
  const Values dfirst_y = random_values(5 * 24, 3);
  Part{1, 5 * 24}.copy(x, 12, 11, first, 1, 0, 1);
  Part{1, 5 * 24}.copy(dfirst_y, 1, 0, dfirst, 12, 11, 1);
  const auto op = [](const auto& a) { return slice<1>(a, 1, 4); };
  const auto one = [](const auto& a) { return slice<0>(a, 11, 12); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto l) {
      check_op<T>(world, mesh, op, y, dy, {dx}, 0, given<T>(l, {12, 5, 24}, x));
    };
    check(0.0, layout<>);
    check(0.0, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0, layout<Shard<0, dp>, Partial<tp>>);
    check(0.0f, layout<Shard<2, tp, dp>>);
    check_op<double>(world, mesh, one, first, dfirst_y, {dfirst}, 0,
                     given<double>(layout<Shard<2, tp>, Partial<dp>>, {12, 5, 24}, x));
    const auto z = zeros<double>(mesh, layout<>, {12, 5});
    CHECK(slice<1>(z, 5, 5).describe() == "f64[12,0]");
    CHECK_THROWS_WITH_AS(slice<1>(z, 2, 6), doctest::Contains("end = 6"), Error);
    CHECK_THROWS_WITH_AS(slice<1>(z, 3, 2), doctest::Contains("begin = 3"), Error);
    CHECK_THROWS_WITH_AS(slice<1>(z, -1, 2), doctest::Contains("begin = -1"), Error);
  });
}

TEST_CASE("concatenate in every placement") {
  const Values x = random_values(12 * 2 * 24, 1), y = random_values(12 * 3 * 24, 2),
               dz = random_values(12 * 5 * 24, 3);
  Values z(dz.size()), dx(x.size()), dy(y.size());
  const Part part{12, 24};
  part.copy(x, 2, 0, z, 5, 0, 2);
  part.copy(y, 3, 0, z, 5, 2, 3);
  part.copy(dz, 5, 0, dx, 2, 0, 2);
  part.copy(dz, 5, 2, dy, 3, 0, 3);
  const auto op = [](const auto& a, const auto& b) { return concatenate<1>(a, b); };
  const auto many = [](const auto& a, const auto& b) { return concatenate<1>(b, a, slice<1>(b, 1, 3), a, a); };
  Values z_many(12 * 11 * 24), dx_many(x.size(), 0.0), dy_many(y.size(), 0.0);
  const Values dz_many = random_values(12 * 11 * 24, 4);
  const auto place = [&](const Values& from, Values& gradient, std::size_t extent, std::size_t begin,
                         std::size_t at, std::size_t count) {
    part.copy(from, extent, begin, z_many, 11, at, count);
    Values term(from.size(), 0.0);
    part.copy(dz_many, 11, at, term, extent, begin, count);
    for (std::size_t i = 0; i < term.size(); ++i) gradient[i] += term[i];
  };
  place(y, dy_many, 3, 0, 0, 3);
  place(x, dx_many, 2, 0, 3, 2);
  place(y, dy_many, 3, 1, 5, 2);
  place(x, dx_many, 2, 0, 7, 2);
  place(x, dx_many, 2, 0, 9, 2);
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto l) {
      check_op<T>(world, mesh, op, z, dz, {dx, dy}, 0, given<T>(l, {12, 2, 24}, x),
                  given<T>(l, {12, 3, 24}, y));
    };
    check(0.0, layout<>);
    check(0.0, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0, layout<Shard<0, dp>, Partial<tp>>);
    check(0.0f, layout<Shard<2, tp, dp>>);
    constexpr auto terms = layout<Shard<0, dp>, Partial<tp>>;
    check_op<double>(world, mesh, many, z_many, dz_many, {dx_many, dy_many}, 0,
                     given<double>(terms, {12, 2, 24}, x), given<double>(terms, {12, 3, 24}, y));
    const auto a = zeros<double>(mesh, layout<>, {2, 5});
    const auto b = zeros<double>(mesh, layout<>, {3, 5});
    CHECK_NOTHROW(concatenate<0>(a, b));
    CHECK_THROWS_WITH_AS(concatenate<1>(a, b), doctest::Contains("f64[2,5]; other.describe() = f64[3,5]"),
                         Error);
  });
}

TEST_CASE("a tensor and its own parts: their gradients add") {
  const Values x = random_values(12 * 4 * 24, 1), dz = random_values(12 * 7 * 24, 2);
  // z = [x[:, 1:4], x]: the parts' gradients meet in x.
  Values z(dz.size()), dx(x.size()), more(x.size(), 0.0);
  const Part part{12, 24};
  part.copy(x, 4, 1, z, 7, 0, 3);
  part.copy(x, 4, 0, z, 7, 3, 4);
  part.copy(dz, 7, 3, dx, 4, 0, 4);
  part.copy(dz, 7, 0, more, 4, 1, 3);
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] += more[i];
  const auto forth = [](const auto& a) { return concatenate<1>(slice<1>(a, 1, 4), a); };
  const auto by_transposes = [](const auto& a) {
    return transpose<1, 0, 2>(concatenate<0>(slice<0>(transpose<1, 0, 2>(a), 1, 4), transpose<1, 0, 2>(a)));
  };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto g = given<double>(layout<Shard<0, dp>, Partial<tp>>, {12, 4, 24}, x);
    check_op<double>(world, mesh, forth, z, dz, {dx}, 0, g);
    check_op<double>(world, mesh, by_transposes, z, dz, {dx}, 0, g);
  });
}
