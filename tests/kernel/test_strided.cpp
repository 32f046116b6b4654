// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/difference.hpp>
#include <tpx/kernel/rms_norm.hpp>
#include <tpx/kernel/softmax.hpp>
#include <tpx/kernel/strided.hpp>

#include <array>
#include <limits>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

namespace {

using Extents = std::array<std::int64_t, 4>;
using Order = std::array<int, 4>;

/// The walk of a dense array of these extents, its dims in another order.
kernel::StrideMap walk(const Extents& n, const Order& order, int first, int last) {
  const Extents stride{n[1] * n[2] * n[3], n[2] * n[3], n[3], 1};
  kernel::StrideMap map;
  for (int d = first; d < last; ++d) {
    const auto from = static_cast<std::size_t>(order[static_cast<std::size_t>(d)]);
    map.push_back(n[from], stride[from]);
  }
  return map;
}

/// Where the elements of that walk lie, counted one by one.
std::vector<std::size_t> places(const Extents& n, const Order& order) {
  const Extents stride{n[1] * n[2] * n[3], n[2] * n[3], n[3], 1};
  const auto of = [&](const Extents& x, std::size_t d) { return x[static_cast<std::size_t>(order[d])]; };
  std::vector<std::size_t> out;
  for (std::int64_t a = 0; a < of(n, 0); ++a)
    for (std::int64_t b = 0; b < of(n, 1); ++b)
      for (std::int64_t c = 0; c < of(n, 2); ++c)
        for (std::int64_t d = 0; d < of(n, 3); ++d)
          out.push_back(static_cast<std::size_t>(a * of(stride, 0) + b * of(stride, 1) + c * of(stride, 2) +
                                                 d * of(stride, 3)));
  return out;
}

const std::vector<Extents> shapes{{3, 4, 5, 6}, {1, 70, 1, 33}, {2, 1, 130, 1}, {7, 3, 2, 64}, {3, 0, 2, 2}};

}  // namespace

TEST_CASE("neighbours that lie as one dim are kept as one") {
  CHECK(walk({3, 4, 5, 6}, {0, 1, 2, 3}, 0, 4).is_dense());
  CHECK(walk({3, 4, 5, 6}, {0, 1, 2, 3}, 0, 4).ndim == 1);
  CHECK(walk({3, 4, 5, 6}, {2, 3, 0, 1}, 0, 4).ndim == 2);
  CHECK(walk({3, 1, 5, 6}, {0, 2, 1, 3}, 0, 4).is_dense());
  CHECK(walk({3, 4, 5, 6}, {3, 2, 1, 0}, 0, 4).ndim == 4);
}

TEST_CASE_TEMPLATE("transposing, in every order of four dims", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  Order order{0, 1, 2, 3};
  do {
    for (const Extents& n : shapes) {
      const std::int64_t count = n[0] * n[1] * n[2] * n[3];
      const auto x = noise(count, 1), before = noise(count, 2);
      const auto in = to<T>(x);
      const auto place = places(n, order);
      reference::Array expected(x.size()), added(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        expected[i] = x[place[i]];
        added[i] = before[i] - 2 * x[place[i]];
      }
      auto out = unset<T>(count);
      kernel::gather_strided(exec, in.data(), walk(n, order, 0, 4), out.data());
      exec.fence();
      CHECK(difference(out, expected) == 0);
      out = to<T>(before);
      kernel::spread_strided(exec, in.data(), walk(n, order, 0, 4), T(-2), out.data(), true);
      exec.fence();
      CHECK(difference(out, added) < tolerance<T>(4));
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE_TEMPLATE("sums over any of four dims", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const Order& order : {Order{0, 1, 2, 3}, Order{3, 2, 1, 0}, Order{2, 3, 0, 1}, Order{0, 3, 1, 2}}) {
    for (int kept = 0; kept <= 4; ++kept) {
      for (const Extents& n : shapes) {
        const auto x = noise(n[0] * n[1] * n[2] * n[3], 1);
        const auto in = to<T>(x);
        const auto outer = walk(n, order, 0, kept), inner = walk(n, order, kept, 4);
        const auto place = places(n, order);
        reference::Array expected(static_cast<std::size_t>(outer.size()), 0.0);
        for (std::size_t i = 0; i < place.size(); ++i)
          expected[i / static_cast<std::size_t>(inner.size())] += 0.5 * x[place[i]];
        auto out = unset<T>(outer.size());
        kernel::sum_strided(exec, in.data(), outer, inner, T(0.5), out.data());
        exec.fence();
        CHECK(difference(out, expected) < tolerance<T>(64));
      }
    }
  }
}

TEST_CASE_TEMPLATE("sums of integers wrap around, along rows and columns alike", T, std::uint8_t, std::int32_t,
                   std::int64_t) {
  const Kokkos::DefaultHostExecutionSpace exec;
  const std::int64_t n = 300;
  for (const T term : {T(1), std::numeric_limits<T>::max(), static_cast<T>((std::int64_t{1} << 53) + 1)}) {
    const std::vector<T> x(static_cast<std::size_t>(2 * n), term);
    const auto expected = static_cast<T>(static_cast<std::uint64_t>(term) * static_cast<std::uint64_t>(n));
    for (const bool rows : {true, false}) {
      kernel::StrideMap kept, summed;
      kept.push_back(2, rows ? n : 1);
      summed.push_back(n, rows ? 1 : 2);
      std::vector<T> sums(2);
      kernel::sum_strided(exec, x.data(), kept, summed, T(1), sums.data());
      exec.fence();
      CHECK(sums == std::vector<T>(2, expected));
    }
  }
}

TEST_CASE_TEMPLATE("the squared distance of two arrays, and its gradient", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const std::int64_t n : {0, 1, 33, 4000}) {
    const auto x = noise(n, 1), y = noise(n, 2);
    const auto a = to<T>(x), b = to<T>(y);
    reference::Array expected{0.0}, dx(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected[0] += 0.25 * (x[i] - y[i]) * (x[i] - y[i]);
      dx[i] = 2 * -0.5 * 3 * (x[i] - y[i]);
    }
    std::vector<T> out = unset<T>(1), gradient = unset<T>(n);
    const T dloss = 3;
    kernel::sum_squared_difference(exec, a.data(), b.data(), n, 0.25, out.data());
    kernel::difference_gradient(exec, a.data(), b.data(), &dloss, -0.5, gradient.data(), n);
    kernel::difference_gradient(exec, a.data(), b.data(), &dloss, -0.5, gradient.data(), n, true);
    exec.fence();
    CHECK(difference(out, expected) < tolerance<T>(4));
    CHECK(difference(gradient, dx) < tolerance<T>(8));
  }
}

TEST_CASE_TEMPLATE("rms norm, forward and backward", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{5, 7}, {1, 300}, {100, 64}, {70, 1}, {0, 3}, {3, 0}}) {
    const auto x = noise(rows * columns, 1, 2.0), gamma = noise(columns, 2), dy = noise(rows * columns, 3);
    reference::Array y(x.size()), dx(x.size()), dgamma(gamma.size(), 0.0);
    for (std::int64_t r = 0; r < rows; ++r) {
      double square = 0, dot = 0;
      const auto at = [columns = columns, r](std::int64_t c) {
        return static_cast<std::size_t>(r * columns + c);
      };
      for (std::int64_t c = 0; c < columns; ++c) square += x[at(c)] * x[at(c)];
      const double n = static_cast<double>(columns), rms = std::sqrt(square / n + 0.01);
      for (std::int64_t c = 0; c < columns; ++c)
        dot += dy[at(c)] * gamma[static_cast<std::size_t>(c)] * x[at(c)];
      for (std::int64_t c = 0; c < columns; ++c) {
        const double weight = gamma[static_cast<std::size_t>(c)];
        y[at(c)] = weight * x[at(c)] / rms;
        dx[at(c)] = dy[at(c)] * weight / rms - x[at(c)] * dot / (n * rms * rms * rms);
        dgamma[static_cast<std::size_t>(c)] += dy[at(c)] * x[at(c)] / rms;
      }
    }
    const auto in = to<T>(x), weight = to<T>(gamma), gradient = to<T>(dy);
    auto out = unset<T>(rows * columns), rstd = unset<T>(rows), sums = unset<T>(columns);
    kernel::rms_norm(exec, in.data(), weight.data(), out.data(), rstd.data(), rows, columns, 0.01);
    exec.fence();
    CHECK(difference(out, y) < tolerance<T>(8));
    out = unset<T>(rows * columns);
    for (const bool again : {false, true}) {
      kernel::rms_norm_dx(exec, in.data(), weight.data(), rstd.data(), gradient.data(), out.data(), rows,
                          columns, again);
      kernel::rms_norm_dgamma(exec, in.data(), rstd.data(), gradient.data(), sums.data(), rows, columns, again);
      exec.fence();
      CHECK(difference(out, dx) < tolerance<T>(32));
      CHECK(difference(sums, dgamma) < tolerance<T>(64));
      for (double& v : dx) v *= 2;
      for (double& v : dgamma) v *= 2;
    }
  }
}

TEST_CASE_TEMPLATE("softmax and log-sum-exp along a middle dim", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const kernel::Lines& lines :
       {kernel::Lines{3, 5, 1}, {1, 100, 1}, {2, 7, 4}, {1, 1, 9}, {40, 33, 1}, {0, 3, 2}}) {
    const std::int64_t count = lines.count(), n = count * lines.n;
    const auto x = noise(n, 1, 30.0), dy = noise(n, 2), dlse = noise(count, 3);
    reference::Array y(x.size()), dx(x.size()), lse(dlse.size()), dx_of_lse(x.size());
    for (std::int64_t l = 0; l < count; ++l) {
      const auto at = [&lines, l](std::int64_t i) {
        return static_cast<std::size_t>(((l / lines.inner) * lines.n + i) * lines.inner + l % lines.inner);
      };
      double total = 0, dot = 0;
      for (std::int64_t i = 0; i < lines.n; ++i) total += std::exp(x[at(i)]);
      for (std::int64_t i = 0; i < lines.n; ++i) dot += dy[at(i)] * std::exp(x[at(i)]) / total;
      lse[static_cast<std::size_t>(l)] = std::log(total);
      for (std::int64_t i = 0; i < lines.n; ++i) {
        y[at(i)] = std::exp(x[at(i)]) / total;
        dx[at(i)] = dy[at(i)] + y[at(i)] * (dy[at(i)] - dot);  // added to what is there
        dx_of_lse[at(i)] = y[at(i)] * dlse[static_cast<std::size_t>(l)];
      }
    }
    const auto in = to<T>(x), gradient = to<T>(dy), line_gradient = to<T>(dlse);
    auto largest = unset<T>(count), sum = unset<T>(count), dot = unset<T>(count), log = unset<T>(count);
    auto out = unset<T>(n), back = gradient, back_of_lse = unset<T>(n);
    kernel::line_max(exec, in.data(), lines, largest.data());
    kernel::line_sum_exp(exec, in.data(), lines, static_cast<const T*>(largest.data()), sum.data());
    const T *most = largest.data(), *total = sum.data();
    kernel::softmax_finish(exec, in.data(), lines, most, total, out.data());
    kernel::log_sum_exp_finish(exec, most, total, count, log.data());
    kernel::line_dot(exec, static_cast<const T*>(out.data()), gradient.data(), lines, dot.data());
    kernel::softmax_gradient(exec, static_cast<const T*>(out.data()), gradient.data(), lines,
                             static_cast<const T*>(dot.data()), back.data(), true);
    kernel::log_sum_exp_gradient(exec, in.data(), static_cast<const T*>(log.data()), line_gradient.data(),
                                 lines, back_of_lse.data());
    exec.fence();
    // x is up to 30, so that a rounding of it is one of 30 of the exponential's.
    CHECK(difference(out, y) < tolerance<T>(64));
    CHECK(difference(log, lse) < tolerance<T>(8));
    CHECK(difference(back, dx) < tolerance<T>(128));
    CHECK(difference(back_of_lse, dx_of_lse) < tolerance<T>(128));
  }
}
