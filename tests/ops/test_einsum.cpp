// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/einsum.hpp>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

struct Scores {
  static constexpr auto text = "b s h d, b t h d -> b h s t";
};
struct Project {
  static constexpr auto text = "b s k, k n -> b s n";
};
struct Outer {
  static constexpr auto text = "b s, n -> n b s";
};
struct Inner {
  static constexpr auto text = "b s, s b ->";
};

/// The product of `text` in plain loops over all factors: the result, or the gradient of operand `of`.
struct Product {
  OpRule rule;
  std::int64_t extent[8] = {};
  Values x, w, dy;

  Product(const OpRule& r, std::initializer_list<std::int64_t> extents) : rule(r) {
    std::copy(extents.begin(), extents.end(), extent);
    x = random_values(count(rule.factor[0], rule.ndim[0]), 1);
    w = random_values(count(rule.factor[1], rule.ndim[1]), 2);
    dy = random_values(count(rule.result, rule.result_ndim), 3);
  }
  std::int64_t count(const signed char* factor, int n) const {
    std::int64_t product = 1;
    for (int d = 0; d < n; ++d) product *= extent[factor[d]];
    return product;
  }
  template <class F>
  void each(F f) const {
    std::int64_t n = 1;
    for (const std::int64_t e : extent) n *= e == 0 ? 1 : e;
    for (std::int64_t i = 0; i < n; ++i) {
      std::int64_t index[8], rest = i;
      for (int l = 0; l < 8; ++l) {
        const std::int64_t e = extent[l] == 0 ? 1 : extent[l];
        index[l] = rest % e;
        rest /= e;
      }
      const auto at = [&](const signed char* factor, int dims) {
        std::int64_t place = 0;
        for (int d = 0; d < dims; ++d) place = place * extent[factor[d]] + index[factor[d]];
        return static_cast<std::size_t>(place);
      };
      f(at(rule.factor[0], rule.ndim[0]), at(rule.factor[1], rule.ndim[1]), at(rule.result, rule.result_ndim));
    }
  }

  template <class T, class Text, class Mesh, class LX, class LW, std::size_t N, std::size_t M>
  void check(const World& world, const Mesh& mesh, Text, LX lx, LW lw, const std::int64_t (&nx)[N],
             const std::int64_t (&nw)[M]) const {
    Values y(dy.size(), 0.0), dx(x.size(), 0.0), dw(w.size(), 0.0);
    each([&](std::size_t i, std::size_t j, std::size_t k) {
      y[k] += x[i] * w[j];
      dx[i] += dy[k] * w[j];
      dw[j] += dy[k] * x[i];
    });
    check_op<T>(
        world, mesh, [](const auto& a, const auto& b) { return einsum<Text>(a, b); }, y, dy, {dx, dw}, 0,
        given<T>(lx, nx, x), given<T>(lw, nw, w));
  }
};

constexpr std::int64_t q_extents[] = {12, 4, 12, 3}, k_extents[] = {12, 6, 12, 3};

}  // namespace

TEST_CASE("an einsum with all kinds of dims in every placement") {
  const Product p(ops::einsum<Scores, 4, 4>::rule, {12, 4, 12, 3, 6});
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto lq, auto lk) {
      p.check<T>(world, mesh, Scores{}, lq, lk, q_extents, k_extents);
    };
    check(0.0, layout<>, layout<>);
    check(0.0, layout<Replicate<tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Shard<2, tp>>, layout<Shard<0, dp>, Shard<2, tp>>);
    check(0.0, layout<Shard<0, dp, tp>>, layout<Shard<0, dp, tp>>);
    check(0.0, layout<Shard<1, Balanced, tp>>, layout<Replicate<tp>>);
    check(0.0, layout<Shard<0, dp>, Replicate<tp>>, layout<Shard<0, dp>, Shard<1, Balanced, tp>>);
    check(0.0, layout<Shard<3, Balanced, tp>>, layout<Shard<3, Balanced, tp>>);
    check(0.0, layout<Partial<tp>>, layout<Replicate<tp>>);
    check(0.0f, layout<Shard<2, Balanced, dp, tp>>, layout<Shard<2, Balanced, dp, tp>>);
  });
}

TEST_CASE("einsums with few dims: a projection, an outer and an inner product") {
  const Product project(ops::einsum<Project, 3, 2>::rule, {6, 12, 12, 24}),
      outer(ops::einsum<Outer, 2, 1>::rule, {12, 4, 24}), inner(ops::einsum<Inner, 2, 2>::rule, {12, 24});
  constexpr std::int64_t x3[] = {6, 12, 12}, w2[] = {12, 24}, x2[] = {12, 4}, n1[] = {24}, a2[] = {12, 24},
                         b2[] = {24, 12};
  for_each_mesh([&](const World& world, const auto& mesh) {
    project.check<double>(world, mesh, Project{}, layout<Replicate<tp>>, layout<Shard<1, tp>>, x3, w2);
    project.check<double>(world, mesh, Project{}, layout<Shard<1, dp>, Shard<2, tp>>,
                          layout<Replicate<dp>, Shard<0, tp>>, x3, w2);
    outer.check<double>(world, mesh, Outer{}, layout<Shard<0, dp>, Replicate<tp>>,
                        layout<Replicate<dp>, Shard<0, tp>>, x2, n1);
    inner.check<double>(world, mesh, Inner{}, layout<Shard<0, dp>, Shard<1, tp>>,
                        layout<Shard<1, dp>, Shard<0, tp>>, a2, b2);
  });
}

TEST_CASE("the layouts of an einsum follow from its text, and extents that differ are refused") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto q = zeros<double>(mesh, layout<Shard<0, dp>, Shard<2, tp>>, q_extents);
    static_assert(std::is_same_v<typename decltype(einsum<Scores>(q, q))::layout_type,
                                 layout_t<Shard<0, dp>, Shard<1, tp>>>);
    const auto d = zeros<double>(mesh, layout<Shard<3, Balanced, tp>>, q_extents);
    static_assert(std::is_same_v<typename decltype(einsum<Scores>(d, d))::layout_type, layout_t<Partial<tp>>>);
    CHECK(einsum<Scores>(d, d).describe() == "f64[12,12,4,4]{P:tp}");
    const auto k = zeros<double>(mesh, layout<Shard<0, dp>, Shard<2, tp>>, {12, 6, 12, 2});
    CHECK_THROWS_WITH_AS(einsum<Scores>(q, k), doctest::Contains("Text::text = b s h d, b t h d -> b h s t"),
                         Error);
  });
}
