// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/view.hpp>

#include <algorithm>
#include <type_traits>
#include <vector>

#include <tpx/comm/self.hpp>

#include "support/distributed.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// Calls f with every kind of layout of a [12,24] tensor.
template <class F>
void for_each_layout(F&& f) {
  f(layout<>);
  f(layout<Replicate<tp>>);
  f(layout<Replicate<dp, tp>>);
  f(layout<Shard<0, tp>>);
  f(layout<Shard<1, tp>, Replicate<dp>>);
  f(layout<Shard<0, dp>, Shard<1, tp>>);
  f(layout<Shard<0, dp, tp>>);
  f(layout<Shard<1, tp, dp>>);
}

template <class T>
std::vector<T> counted(std::int64_t n) {
  std::vector<T> v;
  for (std::int64_t i = 0; i < n; ++i) v.push_back(static_cast<T>(i));
  return v;
}

}  // namespace

TEST_CASE_TEMPLATE("what a factory makes is the same for every layout and mesh, bit for bit", T, float, double,
                   bfloat16) {
  const auto one = make_mesh<tp>(comm::Self());
  const auto alone = layout<>;
  const std::vector<T> n = gather(normal<T>(one, alone, {12, 24}, {5, 1}, 1, 0.5)),
                       u = gather(uniform<T>(one, alone, {12, 24}, {5, 2}, -2, 3));
  CHECK(*std::min_element(u.begin(), u.end()) >= -2);
  CHECK(*std::max_element(u.begin(), u.end()) <= 3);  // to which the largest may be rounded
  CHECK(n != gather(normal<T>(one, alone, {12, 24}, {5, 2}, 1, 0.5)));
  for_each_mesh([&](const World&, const auto& mesh) {
    for_each_layout([&](auto l) {
      CHECK(gather(normal<T>(mesh, l, {12, 24}, {5, 1}, 1, 0.5)) == n);
      CHECK(gather(uniform<T>(mesh, l, {12, 24}, {5, 2}, -2, 3)) == u);
      CHECK(gather(full<T>(mesh, l, {12, 24}, T(2.5))) == std::vector<T>(288, T(2.5)));
      CHECK(gather(zeros<T>(mesh, l, {12, 24})) == std::vector<T>(288));
      const auto f = from_function<T>(mesh, l, {12, 24}, [](const auto& i) { return i[0] * 24 + i[1]; });
      CHECK(gather(f) == counted<T>(288));
    });
  });
}

TEST_CASE_TEMPLATE("each rank has its part of what one rank has, whoever it is", T, double, std::int32_t,
                   std::int64_t, std::uint8_t, bfloat16) {
  const std::vector<T> values = counted<T>(12 * 24);
  for_each_mesh([&](const World&, const auto& mesh) {
    for_each_layout([&](auto l) {
      for (int root = 0; root < mesh.size(); ++root) {
        const auto x = distribute(mesh, l, {12, 24}, mesh.rank() == root ? values : std::vector<T>(), root);
        CHECK(gather(x) == values);
        bool right = true;
        const std::vector<T> mine = local_values(x);
        for_each_element(x.distribution(), [&](std::int64_t i, std::int64_t at) {
          right = right && mine[static_cast<std::size_t>(i)] == values[static_cast<std::size_t>(at)];
        });
        CHECK(right);
      }
    });
  });
}

TEST_CASE("what does not fit is refused on every rank") {
  for_each_mesh([](const World&, const auto& mesh) {
    const int p = mesh.size();
    for (int root = 0; root < p; ++root) {
      const std::vector<double> values(mesh.rank() == root ? 5 : 6);
      CHECK_THROWS_WITH_AS(distribute(mesh, layout<>, {2, 3}, values, root),
                           doctest::Contains("number = 5; count = 6; the root has as many values"), Error);
    }
    for (const int root : {-1, p})
      CHECK_THROWS_WITH_AS(distribute(mesh, layout<>, {2}, std::vector<double>(2), root),
                           doctest::Contains("root ="), Error);
    CHECK_THROWS_WITH_AS(zeros<double>(mesh, layout<>, {2, -3}), doctest::Contains("extents are not negative"),
                         Error);
    CHECK_THROWS_AS(distribute(mesh, layout<>, {-2, -3}, std::vector<double>(6)), Error);
    constexpr std::int64_t large = std::int64_t{1} << 32;
    CHECK_THROWS_WITH_AS(zeros<double>(mesh, layout<>, {large, large, 2}),
                         doctest::Contains("a tensor's bytes are counted by 63 bits"), Error);
    CHECK_THROWS_WITH_AS(zeros<double>(mesh, layout<>, {large, large, 0}), doctest::Contains("63 bits"), Error);
    CHECK_THROWS_WITH_AS(distribute(mesh, layout<>, {large, large}, std::vector<double>()),
                         doctest::Contains("63 bits"), Error);
    if (p == 1) return;
    CHECK_THROWS_WITH_AS((zeros<double>(mesh, layout<Shard<1, dp, tp>>, {2, 7})),
                         doctest::Contains("f64[2,7@dp@tp]"), Error);
    CHECK_THROWS_WITH_AS((distribute(mesh, layout<Shard<1, dp, tp>>, {1, 7}, std::vector<double>(7))),
                         doctest::Contains("which 7 is not a multiple of"), Error);
  });
}

TEST_CASE("the terms of a Partial tensor are summed by gather, and a scalar is read by item") {
  for_each_mesh([](const World&, const auto& mesh) {
    const Values v = random_values(24, 1);
    CHECK(off(gather(put(mesh, given<double>(layout<Partial<dp, tp>>, {24}, v))), v) <= 1e-14);
    Buffer scalar = detail::allocate<double>(mesh, 1);
    const double value = 4.5;
    detail::copy_from_host(mesh, &value, scalar.as<double>(), 1);
    const DTensor<double, 0, layout_t<Replicate<tp>>, std::decay_t<decltype(mesh)>> s(mesh, Shape{}, scalar);
    CHECK(item(s) == 4.5);
    CHECK(s.describe() == "f64[]{R:tp}");
  });
}

TEST_CASE("a tensor without elements is a tensor") {
  for_each_mesh([](const World&, const auto& mesh) {
    const auto x = normal<float>(mesh, layout<Shard<1, tp>>, {3, 0}, {1, 1});
    CHECK(x.local_count() == 0);
    CHECK(gather(x).empty());
    CHECK(gather(distribute(mesh, layout<Shard<0, tp>>, {0, 4}, std::vector<double>())).empty());
    CHECK(local_values(from_function<int>(mesh, layout<>, {0}, [](const auto&) { return 1; })).empty());
    CHECK(x.local().extent(1) == 0);
  });
}

TEST_CASE("a View is a shard, without a copy, written from both sides") {
  for_each_mesh([](const World&, const auto& mesh) {
    using Exec = typename std::decay_t<decltype(mesh)>::execution_space;
    const int tp_size = mesh.template size<tp>();
    Kokkos::View<double**, Kokkos::LayoutRight, Exec> right("right", 3, 4);
    const auto x = wrap(mesh, layout<Shard<0, tp>>, right);
    CHECK(x.data() == right.data());
    CHECK(x.local().data() == right.data());
    CHECK(x.shape() == Shape{3 * tp_size, 4});
    right(1, 2) = 7;
    CHECK(local_values(x)[6] == 7);
    x.local()(2, 3) = 8;
    CHECK(right(2, 3) == 8);
    static_assert(std::is_same_v<typename decltype(x)::layout_type, layout_t<Shard<0, tp>>>);

    // Column-major m x n lies in memory as its transpose does row-major.
    Kokkos::View<float**, Kokkos::LayoutLeft, Exec> left("left", 3, 4);
    const auto y = wrap(mesh, layout<Shard<1, tp>>, left);
    CHECK(y.data() == left.data());
    CHECK(y.shape() == Shape{4, 3 * tp_size});
    left(1, 2) = 5;
    CHECK(y.local()(2, 1) == 5);

    Kokkos::View<bfloat16*, Exec> half("half", 3);
    half(2) = bfloat16(0.5);
    const auto z = wrap(mesh, layout<Shard<0, tp>>, half);
    CHECK(z.data() == half.data());
    CHECK(local_values(copy_view(mesh, layout<>, half))[2] == 0.5F);
    CHECK(z.describe().starts_with("bf16["));

    const auto copied = copy_view(mesh, layout<Shard<1, tp>>, left);
    CHECK(copied.shape() == Shape{3, 4 * tp_size});
    CHECK(copied.data() != left.data());
    CHECK(copied.local()(1, 2) == 5);
  });
}

TEST_CASE("a managed View lives as long as the tensor does") {
  const auto mesh = make_mesh<tp>(world());
  using Exec = Kokkos::DefaultExecutionSpace;
  auto x = [&] {
    Kokkos::View<int*, Exec> view("view", 6);
    for (int i = 0; i < 6; ++i) view(i) = i;
    return wrap(mesh, layout<>, view);
  }();
  const auto copy = x;
  CHECK(local_values(copy) == counted<int>(6));
  Kokkos::View<int*, Exec> kept("kept", 2);
  CHECK(kept.use_count() == 1);
  {
    const auto y = wrap(mesh, layout<>, kept);
    CHECK(kept.use_count() == 2);
  }
  CHECK(kept.use_count() == 1);
}

TEST_CASE("a View with gaps is refused, and copied by name") {
  const auto mesh = make_mesh<tp>(world());
  using Exec = Kokkos::DefaultExecutionSpace;
  Kokkos::View<double**, Kokkos::LayoutRight, Exec> base("base", 4, 6);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 6; ++j) base(i, j) = 10 * i + j;
  const auto gaps = Kokkos::subview(base, std::pair(1, 3), std::pair(2, 4));
  CHECK_FALSE(gaps.span_is_contiguous());
  if constexpr (!std::is_same_v<typename decltype(gaps)::array_layout, Kokkos::LayoutStride>) {
    CHECK_THROWS_WITH_AS(wrap(mesh, layout<Shard<0, tp>>, gaps),
                         doctest::Contains("copy_view takes a strided one"), Error);
  }
  const auto x = copy_view(mesh, layout<Shard<0, tp>>, gaps);
  CHECK(local_values(x) == std::vector<double>{12, 13, 22, 23});
  Kokkos::View<double**, Kokkos::LayoutStride, Exec> strided = gaps;
  CHECK(local_values(copy_view(mesh, layout<>, strided)) == std::vector<double>{12, 13, 22, 23});
  const auto rows = Kokkos::subview(base, std::pair(1, 3), Kokkos::ALL());
  CHECK(wrap(mesh, layout<>, rows).data() == &base(1, 0));
}

TEST_CASE("ranks on a mesh with memory of its own; the limit names the rank") {
  const auto mesh = make_mesh<tp>(world());
  const auto other = with_instance(mesh, Kokkos::DefaultExecutionSpace());
  CHECK(&other.context() != &mesh.context());
  const auto x = zeros<double>(other, layout<>, {100});
  CHECK(mesh.context().pool().in_use() == 0);
  CHECK(other.context().pool().in_use() == 896);
  other.context().pool().set_limit(1000);
  CHECK_THROWS_WITH_AS((zeros<double>(other, layout<>, {100})),
                       doctest::Contains((" (rank " + std::to_string(rank()) + ", tp=").c_str()), Error);
}

TEST_CASE("a tensor becomes another mesh's, or itself, and its old mesh ends with it") {
  const auto make = [](int dp_size) {
    return normal<double>(make_mesh<dp, tp>(world(), {dp_size, 0}), layout<>, {100}, {1, 1});
  };
  auto x = make(1);
  const auto values = local_values(x);
  const auto& same = x;
  x = same;
  CHECK(local_values(x) == values);
  x = make(ranks());  // the only handle of the old mesh is the one that is overwritten
  CHECK(x.mesh().size<dp>() == ranks());
  CHECK(local_values(x) == values);
}
