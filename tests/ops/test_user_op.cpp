// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/local_region.hpp>
#include <tpx/ops/recompute.hpp>
#include <tpx/ops/user_op.hpp>

#include <cmath>
#include <memory>
#include <tuple>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// y[b,h] = x[b,h] + id[b] tanh(x[b,h] g[h]), in plain loops over shards.
struct Mix {
  static constexpr OpRule rule = op_rule("b h, h, b -> b h", Linearity::nonlinear, {2, 1, 1});

  template <class Exec, class X, class G, class I, class Y>
  void forward(const Exec&, const X& x, const G& g, const I& id, const Y& y) const {
    for (std::size_t b = 0; b < x.extent(0); ++b)
      for (std::size_t h = 0; h < x.extent(1); ++h) y(b, h) = x(b, h) + id(b) * std::tanh(x(b, h) * g(h));
  }
  template <class Exec, class X, class G, class I, class DY, class DX, class DG>
  void backward(const Exec&, const X& x, const G& g, const I& id, const DY& dy, const DX& dx, const DG& dg,
                NoGradient) const {
    for (std::size_t b = 0; b < x.extent(0); ++b) {
      for (std::size_t h = 0; h < x.extent(1); ++h) {
        const auto t = std::tanh(x(b, h) * g(h)), slope = id(b) * (1 - t * t);
        dx(b, h) += dy(b, h) * (1 + slope * g(h));
        dg(h) += dy(b, h) * slope * x(b, h);
      }
    }
  }
};

/// y[h] = factor times the sum over b of x[b,h]: linear, with state, so that it takes terms and gives some.
struct ScaledColumns {
  static constexpr OpRule rule = op_rule("b h -> h", Linearity::product, {2});
  std::shared_ptr<const double> factor;

  template <class Exec, class X, class Y>
  void forward(const Exec&, const X& x, const Y& y) const {
    const auto f = static_cast<typename Y::value_type>(*factor);
    for (std::size_t h = 0; h < x.extent(1); ++h) {
      y(h) = 0;
      for (std::size_t b = 0; b < x.extent(0); ++b) y(h) += f * x(b, h);
    }
  }
  template <class Exec, class X, class DY, class DX>
  void backward(const Exec&, const X& x, const DY& dy, const DX& dx) const {
    const auto f = static_cast<typename DX::value_type>(*factor);
    for (std::size_t h = 0; h < x.extent(1); ++h)
      for (std::size_t b = 0; b < x.extent(0); ++b) dx(b, h) += f * dy(h);
  }
};

/// y[b,h] = x[b,h] g[h], s[h] = the sum over b of x[b,h]^2, and the number of terms in it.
struct ScaleAndSquares {
  template <class Exec, class X, class G, class Y, class S, class N>
  void forward(const Exec&, const X& x, const G& g, const Y& y, const S& s, const N& n) const {
    for (std::size_t h = 0; h < x.extent(1); ++h) {
      s(h) = 0;
      n(h) = static_cast<std::int32_t>(x.extent(0));
      for (std::size_t b = 0; b < x.extent(0); ++b) {
        y(b, h) = x(b, h) * g(h);
        s(h) += x(b, h) * x(b, h);
      }
    }
  }
  template <class Exec, class X, class G, class DY, class DS, class DX, class DG>
  void backward(const Exec&, const X& x, const G& g, const DY& dy, const DS& ds, NoGradient, const DX& dx,
                const DG& dg) const {
    for (std::size_t h = 0; h < x.extent(1); ++h) {
      for (std::size_t b = 0; b < x.extent(0); ++b) {
        dx(b, h) += dy(b, h) * g(h) + 2 * ds(h) * x(b, h);
        dg(h) += dy(b, h) * x(b, h);
      }
    }
  }
};

struct Mixed {
  Values x = random_values(12 * 24, 1), g = random_values(24, 2), dy = random_values(12 * 24, 3), id;
  Values y = Values(x.size()), dx = Values(x.size()), dg = Values(24, 0.0);
  Mixed() {
    for (int b = 0; b < 12; ++b) id.push_back(b % 5 - 2);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double n = id[i / 24], a = g[i % 24], t = std::tanh(x[i] * a);
      y[i] = x[i] + n * t;
      dx[i] = dy[i] * (1 + n * (1 - t * t) * a);
      dg[i % 24] += dy[i] * n * (1 - t * t) * x[i];
    }
  }
};

}  // namespace

TEST_CASE("a user's op in every placement that its rule takes") {
  const Mixed m;
  const auto op = [](const auto& x, const auto& g, const auto& id) { return user_op(Mix{}, x, g, id); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&](auto lx, auto lg, auto li) {
      check_op<double>(world, mesh, op, m.y, m.dy, {m.dx, m.dg, Values{}}, 0, given<double>(lx, {12, 24}, m.x),
                       given<double>(lg, {24}, m.g), given<std::int32_t>(li, {12}, m.id));
    };
    check(layout<>, layout<>, layout<>);
    check(layout<Replicate<tp>>, layout<Replicate<tp>>, layout<>);
    check(layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp>, Shard<0, tp>>, layout<Shard<0, dp>>);
    check(layout<Shard<0, Balanced, dp, tp>>, layout<Replicate<dp, tp>>, layout<Shard<0, Balanced, dp, tp>>);
    check(layout<Shard<1, Balanced, tp, dp>>, layout<Shard<0, Balanced, tp, dp>>, layout<>);
  });
  const double factor = -1.5;
  Values sums(24, 0.0), dx(m.x.size());
  const Values dsums = random_values(24, 4);
  for (std::size_t i = 0; i < m.x.size(); ++i) {
    sums[i % 24] += factor * m.x[i];
    dx[i] = factor * dsums[i % 24];
  }
  const auto columns = [&](const auto& x) {
    return user_op(ScaledColumns{std::make_shared<const double>(factor)}, x);
  };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto l) {
      check_op<T>(world, mesh, columns, sums, dsums, {dx}, 0, given<T>(l, {12, 24}, m.x));
    };
    check(0.0, layout<Shard<0, Balanced, dp>, Partial<tp>>);
    check(0.0, layout<Replicate<dp>, Shard<1, tp>>);
    check(0.0f, layout<Shard<0, Balanced, tp>>);
  });
}

TEST_CASE(
    "extents that differ are refused with all operands in the message; one kernel is called without a tape") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto x = zeros<double>(mesh, layout<>, {2, 3});
    const auto g = zeros<double>(mesh, layout<>, {4});
    const auto id = zeros<std::int32_t>(mesh, layout<>, {2});
    CHECK_THROWS_WITH_AS(user_op(Mix{}, x, g, id), doctest::Contains("operand 1 has the extent"), Error);
    CHECK_THROWS_WITH_AS(user_op(Mix{}, x, g, id), doctest::Contains("f64[2,3]; f64[4]; i32[2]"), Error);
    // As a lambda, and of values alone.
    const auto count = local_region(
        [](const auto&, const auto& a, const auto& y) { y() = static_cast<std::int32_t>(a.extent(0)); },
        takes(layout<>), gives<std::int32_t, 0>(layout<Partial<dp, tp>>, Shape{}), x);
    CHECK(gather(redistribute<Invariant<dp, tp>>(count)) == std::vector<std::int32_t>{2 * mesh.size()});
  });
}

TEST_CASE("a local region gives what it declares, and its gradients") {
  const Mixed m;
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto split = [](const auto& x, const auto& g, const auto& id) {
      return local_region(
          Mix{},
          takes(layout<Shard<0, dp>, Shard<1, tp>>, layout<Replicate<dp>, Shard<0, tp>>, layout<Shard<0, dp>>),
          gives<double>(layout<Shard<0, dp>, Shard<1, tp>>, {12, 24}), x, g, id);
    };
    check_op<double>(world, mesh, split, m.y, m.dy, {m.dx, m.dg, Values{}}, 0,
                     given<double>(layout<Shard<0, dp>, Shard<1, tp>>, {12, 24}, m.x),
                     given<double>(layout<Replicate<dp>, Shard<0, tp>>, {24}, m.g),
                     given<std::int32_t>(layout<Shard<0, dp>>, {12}, m.id));
    // Terms, from values that each rank uses for its own part.
    const auto columns = [&](const auto& x) {
      return local_region(ScaledColumns{std::make_shared<const double>(2)},
                          takes(layout<Shard<0, Balanced, dp, tp>>),
                          gives<double>(layout<Partial<dp, tp>>, {24}), x);
    };
    Values sums(24, 0.0), dx(m.x.size());
    for (std::size_t i = 0; i < m.x.size(); ++i) {
      sums[i % 24] += 2 * m.x[i];
      dx[i] = 2 * m.dy[i % 24];
    }
    check_op<double>(world, mesh, columns, sums, Values(m.dy.begin(), m.dy.begin() + 24), {dx}, 0,
                     given<double>(layout<Shard<0, Balanced, dp, tp>>, {12, 24}, m.x));
  });
}

TEST_CASE("a local region gives several results, and takes the gradients of those that were used") {
  const Mixed m;
  Values s(24, 0.0), product(m.x.size()), scaled(m.x.size()), ds(24, 0.0);
  Values dx(m.x.size()), dg(24, 0.0), dx_scaled(m.x.size()), dg_scaled(24, 0.0), dx_squares(m.x.size());
  for (std::size_t i = 0; i < m.x.size(); ++i) s[i % 24] += m.x[i] * m.x[i];
  for (std::size_t i = 0; i < m.x.size(); ++i) {
    scaled[i] = m.x[i] * m.g[i % 24];
    product[i] = scaled[i] * s[i % 24];
    ds[i % 24] += m.dy[i] * scaled[i];
    dg[i % 24] += m.dy[i] * s[i % 24] * m.x[i];
    dx_scaled[i] = m.dy[i] * m.g[i % 24];
    dg_scaled[i % 24] += m.dy[i] * m.x[i];
    dx_squares[i] = 2 * m.dy[i % 24] * m.x[i];
  }
  for (std::size_t i = 0; i < m.x.size(); ++i)
    dx[i] = m.dy[i] * s[i % 24] * m.g[i % 24] + 2 * ds[i % 24] * m.x[i];
  const auto region = [](auto of_x, auto of_g, auto of_s, const auto& x, const auto& g) {
    return local_region(ScaleAndSquares{}, takes(of_x, of_g),
                        std::tuple(gives<double>(of_x, static_extents<12, 24>), gives<double>(of_s, {24}),
                                   gives<std::int32_t>(of_s, {24})),
                        x, g);
  };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto columns = layout<Replicate<dp>, Shard<1, tp>>;
    const auto column = layout<Replicate<dp>, Shard<0, tp>>;
    const auto multiplied = [&](const auto& x, const auto& g) {
      const auto [y, squares, terms] = region(columns, column, column, x, g);
      CHECK(local_values(terms) ==
            std::vector<std::int32_t>(static_cast<std::size_t>(terms.local_count()), 12));
      return multiply(y, squares);
    };
    const auto x = given<double>(columns, {12, 24}, m.x);
    const auto g = given<double>(column, {24}, m.g);
    check_op<double>(world, mesh, multiplied, product, m.dy, {dx, dg}, 0, x, g);
    check_op<double>(
        world, mesh, [&](const auto& a, const auto& b) { return recompute(multiplied, a, b); }, product, m.dy,
        {dx, dg}, 0, x, g);
    check_op<double>(
        world, mesh,
        [&](const auto& a, const auto& b) { return std::get<0>(region(columns, column, column, a, b)); },
        scaled, m.dy, {dx_scaled, dg_scaled}, 0, x, g);
    // Rows: the sums are terms, and so is their number.
    const auto rows = layout<Shard<0, dp>, Shard<1, tp>>;
    const auto terms = layout<Partial<dp>, Shard<0, tp>>;
    check_op<double>(
        world, mesh,
        [&](const auto& a, const auto& b) { return std::get<1>(region(rows, column, terms, a, b)); }, s,
        Values(m.dy.begin(), m.dy.begin() + 24), {dx_squares, Values(24, 0.0)}, 0,
        given<double>(rows, {12, 24}, m.x), g);
  });
}
