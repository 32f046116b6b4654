// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/ops/elementwise_many.hpp>
#include <tpx/ops/pointwise.hpp>

#include <array>
#include <cmath>

#include "support/check_op.hpp"
#include "support/reference.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// As a user writes one, with state: x where x > 0, else slope x.
struct Leaky {
  double slope;
  template <class T>
  KOKKOS_FUNCTION T value(T x) const {
    return x > T(0) ? x : static_cast<T>(slope) * x;
  }
  template <class T>
  KOKKOS_FUNCTION T derivative(T x) const {
    return x > T(0) ? T(1) : static_cast<T>(slope);
  }
};

/// A linear one of a user's: it takes terms.
struct Half {
  static constexpr Linearity linearity = Linearity::product;
  template <class T>
  KOKKOS_FUNCTION static T value(T x) {
    return x / T(2);
  }
  template <class T>
  KOKKOS_FUNCTION static T derivative(T) {
    return T(0.5);
  }
};

/// x / (2 + y y).
struct Damp {
  template <class T>
  KOKKOS_FUNCTION static T value(T x, T y) {
    return x / (T(2) + y * y);
  }
  template <class T>
  KOKKOS_FUNCTION static T dx(T, T y) {
    return T(1) / (T(2) + y * y);
  }
  template <class T>
  KOKKOS_FUNCTION static T dy(T x, T y) {
    return T(-2) * x * y / ((T(2) + y * y) * (T(2) + y * y));
  }
};

/// x y + z: linear in the three together in no way that the rule knows.
struct MultiplyAdd {
  template <class T>
  KOKKOS_FUNCTION static T value(T x, T y, T z) {
    return x * y + z;
  }
  template <int I, class T>
  KOKKOS_FUNCTION static T derivative(T x, T y, T) {
    return I == 0 ? y : I == 1 ? x : T(1);
  }
};

/// a x + b y + c z + d u, with state: a sum, which takes terms.
struct Combine {
  static constexpr Linearity linearity = Linearity::sum;
  double factor[4];
  template <class T>
  KOKKOS_FUNCTION T value(T x, T y, T z, T u) const {
    return at<T>(0) * x + at<T>(1) * y + at<T>(2) * z + at<T>(3) * u;
  }
  template <int I, class T>
  KOKKOS_FUNCTION T derivative(T, T, T, T) const {
    return at<T>(I);
  }
  template <class T>
  KOKKOS_FUNCTION T at(int i) const {
    return static_cast<T>(factor[i]);
  }
};

/// a b + c d + e f + g h.
struct Products {
  template <class T>
  KOKKOS_FUNCTION static T value(T a, T b, T c, T d, T e, T f, T g, T h) {
    return a * b + c * d + e * f + g * h;
  }
  template <int I, class T>
  KOKKOS_FUNCTION static T derivative(T a, T b, T c, T d, T e, T f, T g, T h) {
    const T of[] = {b, a, d, c, f, e, h, g};
    return of[I];
  }
};

template <class F>
Values map(Values x, F f) {
  for (double& v : x) v = f(v);
  return x;
}

/// dy f'(x)
template <class F>
Values chain(const Values& x, Values dy, F slope) {
  for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= slope(x[i]);
  return dy;
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// z = f(x, y) with y repeated for each row, and the gradients.
struct Two {
  Values x, y, dz;

  template <class T, class Mesh, class Op, class F, class Dx, class Dy, class LX, class LY, std::size_t N>
  void check(const World& world, const Mesh& mesh, Op op, F f, Dx by_x, Dy by_y, LX lx, LY ly,
             const std::int64_t (&extents)[N]) const {
    Values z(x.size()), gx(x.size()), gy(y.size(), 0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = i % y.size();
      z[i] = f(x[i], y[c]);
      gx[i] = dz[i] * by_x(x[i], y[c]);
      gy[c] += dz[i] * by_y(x[i], y[c]);
    }
    check_op<T>(world, mesh, op, z, dz, {gx, gy}, 0, given<T>(lx, {12, 4, 12}, x), given<T>(ly, extents, y));
  }
};

constexpr std::int64_t full_extents[3] = {12, 4, 12}, row[1] = {12};

Two two(std::int64_t columns) {
  return {random_values(12 * 4 * 12, 1), random_values(columns, 2), random_values(12 * 4 * 12, 3)};
}

}  // namespace

TEST_CASE("relu, silu, tanh, exp and a user's function in every placement") {
  Values x = random_values(12 * 24, 1);
  for (double& v : x) v *= 3;
  const Values dy = random_values(12 * 24, 2);
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto all = [&]<class T>(T, auto l) {
      const auto g = given<T>(l, {12, 24}, x);
      const auto check = [&](auto op, auto f, auto slope) {
        check_op<T>(world, mesh, op, map(x, f), dy, {chain(x, dy, slope)}, 0, g);
      };
      check([](const auto& a) { return relu(a); }, [](double v) { return std::fmax(v, 0.0); },
            [](double v) { return v > 0 ? 1.0 : 0.0; });
      check([](const auto& a) { return silu(a); }, [](double v) { return v * logistic(v); },
            [](double v) { return logistic(v) + v * logistic(v) * (1 - logistic(v)); });
      check([](const auto& a) { return tanh(a); }, [](double v) { return std::tanh(v); },
            [](double v) { return 1 - std::tanh(v) * std::tanh(v); });
      check([](const auto& a) { return exp(a); }, [](double v) { return std::exp(v); },
            [](double v) { return std::exp(v); });
      check([](const auto& a) { return elementwise(Leaky{0.1}, a); },
            [](double v) { return v > 0 ? v : 0.1 * v; }, [](double v) { return v > 0 ? 1.0 : 0.1; });
    };
    all(0.0, layout<>);
    all(0.0, layout<Replicate<tp>>);
    all(0.0, layout<Shard<0, dp>, Shard<1, tp>>);
    all(0.0f, layout<Shard<0, dp, tp>>);
    const auto halve = [](const auto& a) { return elementwise(Half{}, a); };
    const Values half = map(x, [](double v) { return v / 2; }), dhalf = map(dy, [](double v) { return v / 2; });
    check_op<double>(world, mesh, halve, half, dy, {dhalf}, 0,
                     given<double>(layout<Shard<1, dp>, Partial<tp>>, {12, 24}, x));
  });
}

TEST_CASE("subtract in every placement, of one shape and of a row") {
  const auto op = [](const auto& a, const auto& b) { return subtract(a, b); };
  const Two same = two(12 * 4 * 12), of_row = two(12);
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, const Two& t, auto lx, auto ly, const auto& extents) {
      t.check<T>(
          world, mesh, op, [](double a, double b) { return a - b; }, [](double, double) { return 1.0; },
          [](double, double) { return -1.0; }, lx, ly, extents);
    };
    check(0.0, same, layout<>, layout<>, full_extents);
    check(0.0, same, layout<Shard<0, dp>, Partial<tp>>, layout<Shard<0, dp>, Partial<tp>>, full_extents);
    check(0.0, same, layout<Shard<2, tp>>, layout<Shard<2, tp>>, full_extents);
    check(0.0, of_row, layout<Replicate<tp>>, layout<Replicate<tp>>, row);
    check(0.0, of_row, layout<Partial<dp, tp>>, layout<Partial<dp, tp>>, row);
    check(0.0f, of_row, layout<Shard<0, dp>, Shard<2, tp>>, layout<Replicate<dp>, Shard<0, tp>>, row);
  });
}

TEST_CASE("multiply in every placement: terms beside a value that every rank uses") {
  const auto op = [](const auto& a, const auto& b) { return multiply(a, b); };
  const Two same = two(12 * 4 * 12), of_row = two(12);
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, const Two& t, auto lx, auto ly, const auto& extents) {
      t.check<T>(
          world, mesh, op, [](double a, double b) { return a * b; }, [](double, double b) { return b; },
          [](double a, double) { return a; }, lx, ly, extents);
    };
    check(0.0, same, layout<>, layout<>, full_extents);
    check(0.0, same, layout<Partial<tp>>, layout<Replicate<tp>>, full_extents);
    check(0.0, same, layout<Shard<0, dp>, Replicate<tp>>, layout<Shard<0, dp>, Partial<tp>>, full_extents);
    check(0.0, same, layout<Shard<0, dp>, Shard<2, tp>>, layout<Shard<0, dp>, Shard<2, tp>>, full_extents);
    check(0.0, of_row, layout<Replicate<tp>>, layout<Replicate<tp>>, row);
    check(0.0, of_row, layout<Partial<tp>>, layout<Replicate<tp>>, row);
    check(0.0, of_row, layout<Shard<0, dp>, Replicate<tp>>, layout<Replicate<dp>, Partial<tp>>, row);
    check(0.0f, of_row, layout<Shard<0, dp>, Shard<2, tp>>, layout<Replicate<dp>, Shard<0, tp>>, row);
  });
}

TEST_CASE("a user's function of two tensors, and operands that are one tensor") {
  const Two of_row = two(12);
  const Values x = random_values(12 * 12, 4), dy = random_values(12 * 12, 5);
  for_each_mesh([&](const World& world, const auto& mesh) {
    of_row.check<double>(
        world, mesh, [](const auto& a, const auto& b) { return elementwise(Damp{}, a, b); },
        [](double a, double b) { return Damp::value(a, b); }, [](double a, double b) { return Damp::dx(a, b); },
        [](double a, double b) { return Damp::dy(a, b); }, layout<Shard<0, dp>, Shard<2, tp>>,
        layout<Replicate<dp>, Shard<0, tp>>, row);
    check_op<double>(
        world, mesh, [](const auto& a) { return multiply(a, a); }, map(x, [](double v) { return v * v; }), dy,
        {chain(x, dy, [](double v) { return 2 * v; })}, 0, given<double>(layout<Shard<1, tp>>, {12, 12}, x));
    check_op<double>(
        world, mesh, [](const auto& a) { return subtract(a, a); }, Values(144, 0.0), dy, {Values(144, 0.0)}, 0,
        given<double>(layout<Partial<tp>>, {12, 12}, x));
  });
}

TEST_CASE("elementwise operands whose extents differ are refused, with both in the message") {
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto x = zeros<double>(mesh, layout<>, {12, 24});
    const auto y = zeros<double>(mesh, layout<>, {12});
    CHECK_THROWS_WITH_AS(multiply(x, y), doctest::Contains("x.describe() = f64[12,24]; y.describe() = f64[12]"),
                         Error);
    CHECK_THROWS_WITH_AS(subtract(x, y), doctest::Contains("x.describe() = f64[12,24]; y.describe() = f64[12]"),
                         Error);
  });
}

TEST_CASE("functions of three and of four tensors, shorter ones repeated") {
  const Values x = random_values(12 * 4 * 12, 1), y = random_values(4 * 12, 2), z = random_values(12, 3),
               dv = random_values(12 * 4 * 12, 4), u = random_values(12 * 4 * 12, 5);
  Values v(x.size()), dx(x.size()), dy(y.size(), 0.0), dz(z.size(), 0.0), sum(x.size());
  std::array<Values, 4> scaled{dv, dv, dv, dv};
  constexpr Combine combine{{2, -1, 0.5, 3}};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t j = i % y.size(), k = i % z.size();
    v[i] = x[i] * y[j] + z[k];
    dx[i] = dv[i] * y[j];
    dy[j] += dv[i] * x[i];
    dz[k] += dv[i];
    sum[i] = 2 * x[i] - u[i] + 0.5 * dv[i] + 3 * x[i];
    for (std::size_t n = 0; n < 4; ++n) scaled[n][i] *= combine.factor[n];
  }
  const auto three = [](const auto& a, const auto& b, const auto& c) {
    return elementwise(MultiplyAdd{}, a, b, c);
  };
  const auto four = [&](const auto& a, const auto& b, const auto& c, const auto& d) {
    return elementwise(combine, a, b, c, d);
  };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto check = [&]<class T>(T, auto lx, auto ly, auto lz) {
      check_op<T>(world, mesh, three, v, dv, {dx, dy, dz}, 0, given<T>(lx, {12, 4, 12}, x),
                  given<T>(ly, {4, 12}, y), given<T>(lz, {12}, z));
    };
    check(0.0, layout<>, layout<>, layout<>);
    check(0.0, layout<Shard<0, dp>, Shard<2, tp>>, layout<Replicate<dp>, Shard<1, tp>>,
          layout<Replicate<dp>, Shard<0, tp>>);
    check(0.0, layout<Shard<1, Balanced, tp>>, layout<Shard<0, Balanced, tp>>, layout<Replicate<tp>>);
    check(0.0f, layout<Shard<0, Balanced, dp, tp>>, layout<Replicate<dp, tp>>, layout<Replicate<dp, tp>>);
    const auto check_four = [&](auto l) {
      check_op<double>(world, mesh, four, sum, dv, scaled, 0, given<double>(l, {12, 4, 12}, x),
                       given<double>(l, {12, 4, 12}, u), given<double>(l, {12, 4, 12}, dv),
                       given<double>(l, {12, 4, 12}, x));
    };
    check_four(layout<Shard<0, Balanced, dp>, Partial<tp>>);
    check_four(layout<Replicate<dp>, Shard<1, Balanced, tp>>);
    const auto a = zeros<double>(mesh, layout<>, {4, 3});
    const auto b = zeros<double>(mesh, layout<>, {4});
    CHECK_THROWS_WITH_AS(elementwise(MultiplyAdd{}, a, a, b),
                         doctest::Contains("f64[4,3]; other.describe() = f64[4]"), Error);
  });
}

TEST_CASE("a function of eight tensors, shorter ones repeated") {
  const std::int64_t all = 12 * 4 * 12, size[8] = {all, 4 * 12, 12, all, all, 12, 4 * 12, all};
  std::array<Values, 8> x, dx;
  for (std::size_t k = 0; k < 8; ++k) {
    x[k] = random_values(size[k], 10 + static_cast<unsigned>(k));
    dx[k] = Values(x[k].size(), 0.0);
  }
  const Values dv = random_values(all, 1);
  Values v(dv.size(), 0.0);
  for (std::size_t i = 0; i < v.size(); ++i) {
    const auto at = [&](std::size_t k) { return x[k][i % x[k].size()]; };
    for (std::size_t k = 0; k < 8; ++k) {
      if (k % 2 == 0) v[i] += at(k) * at(k + 1);
      dx[k][i % dx[k].size()] += dv[i] * at(k % 2 == 0 ? k + 1 : k - 1);
    }
  }
  const auto op = [](const auto&... a) { return elementwise(Products{}, a...); };
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto cube = [&](const Values& a) {
      return given<double>(layout<Shard<0, dp>, Shard<2, tp>>, {12, 4, 12}, a);
    };
    const auto square = [&](const Values& a) {
      return given<double>(layout<Replicate<dp>, Shard<1, tp>>, {4, 12}, a);
    };
    const auto line = [&](const Values& a) {
      return given<double>(layout<Replicate<dp>, Shard<0, tp>>, {12}, a);
    };
    check_op<double>(world, mesh, op, v, dv, dx, 0, cube(x[0]), square(x[1]), line(x[2]), cube(x[3]),
                     cube(x[4]), line(x[5]), square(x[6]), cube(x[7]));
  });
}
