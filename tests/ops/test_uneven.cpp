// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors whose shards differ in size, and dims as factors.

#include <tpx/ops/flatten.hpp>

#include <cmath>
#include <numeric>
#include <vector>

#include <tpx/ops/add.hpp>
#include <tpx/ops/cross_entropy.hpp>
#include <tpx/ops/embedding.hpp>
#include <tpx/ops/softmax.hpp>
#include <tpx/tensor/view.hpp>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// n in p parts, the first ones small, one of them none.
std::vector<std::int64_t> some_pieces(std::int64_t n, int p) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(p), 0);
  for (std::int64_t e = 0; e < n; ++e) ++sizes[static_cast<std::size_t>(e % 2 == 0 ? p - 1 : e % p)];
  return sizes;
}

Values iota(std::int64_t n) {
  Values v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), 0.0);
  return v;
}

double value_at(const auto& index) {
  double v = 0;
  for (const std::int64_t i : index) v = 10 * v + static_cast<double>(i);
  return v;
}

}  // namespace

TEST_CASE("factories make Balanced and Ragged tensors, the same numbers as whole ones") {
  for_each_mesh([](const World& world, const auto& mesh) {
    const auto whole = from_function<double>(mesh, layout<>, {7, 5}, [](const auto& i) { return value_at(i); });
    const Values expected = gather(whole);
    const auto balanced = from_function<double>(mesh, layout<Shard<0, Balanced, tp>, Shard<1, Balanced, dp>>,
                                                {7, 5}, [](const auto& i) { return value_at(i); });
    CHECK(gather(balanced) == expected);
    const auto shape = extents({7, 5}).with_pieces(0, some_pieces(7, mesh.template size<tp>()));
    const auto ragged = from_function<double>(mesh, layout<Shard<0, Ragged, tp>>, shape,
                                              [](const auto& i) { return value_at(i); });
    CHECK(ragged.describe() == "f64[7@tp:ragged,5]");
    CHECK(gather(ragged) == expected);
    CHECK(gather(normal<double>(mesh, layout<Shard<0, Ragged, tp>>, shape, {1, 2})) ==
          gather(normal<double>(mesh, layout<>, {7, 5}, {1, 2})));
    CHECK(gather(distribute<double>(mesh, layout<Shard<0, Balanced, tp, dp>>, {7, 5}, expected)) == expected);
    (void)world;
  });
}

TEST_CASE("a Ragged tensor goes to other layouts and back, by the sizes it is given") {
  for_each_mesh([](const World&, const auto& mesh) {
    const auto x = from_function<double>(mesh, layout<Shard<0, Balanced, tp>>, {7, 5},
                                         [](const auto& i) { return value_at(i); });
    const Values expected = gather(x);
    const Shape cut = x.shape().with_pieces(0, some_pieces(7, mesh.template size<tp>()));
    const auto ragged = redistribute<Shard<0, Ragged, tp>>(x, cut);
    CHECK(ragged.local_shape()[0] == cut.pieces(0)[static_cast<std::size_t>(mesh.grid().coordinate[1])]);
    CHECK(gather(ragged) == expected);
    // What was Ragged stays so where another axis changes.
    const auto columns = redistribute<Shard<1, Balanced, dp>>(ragged);
    CHECK(gather(columns) == expected);
    CHECK(gather(redistribute<Shard<1, Balanced, tp>>(redistribute<Invariant<dp>>(columns))) == expected);
    const auto whole = redistribute<Replicate<tp>>(ragged);
    CHECK(whole.shape().pieces(0).empty());
    if (mesh.template size<tp>() > 1) {
      std::vector<std::int64_t> others(static_cast<std::size_t>(mesh.template size<tp>()), 0);
      others[0] = 7;
      CHECK_THROWS_AS((void)(redistribute<Shard<0, Ragged, tp>>(ragged, x.shape().with_pieces(0, others))),
                      Error);
      CHECK_THROWS_AS((void)(redistribute<Shard<0, Ragged, tp>>(whole)), Error);
    }
  });
}

TEST_CASE("operands that cut a Ragged dim at different places are refused at run time") {
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  const int p = mesh.size();
  std::vector<std::int64_t> first(static_cast<std::size_t>(p), 0), last = first;
  first.front() = last.back() = 6;
  const auto x = zeros<double>(mesh, layout<Shard<0, Ragged, tp>>, extents({6}).with_pieces(0, first));
  const auto y = zeros<double>(mesh, layout<Shard<0, Ragged, tp>>, extents({6}).with_pieces(0, last));
  CHECK(add(x, x).shape().pieces(0).size() == first.size());
  if (p > 1) CHECK_THROWS_WITH_AS(add(x, y), doctest::Contains("cut a Ragged dim at different places"), Error);
}

TEST_CASE("flatten and unflatten: the same memory, the same gradients") {
  for_each_mesh([](const World& world, const auto& mesh) {
    const Values v = random_values(12 * 4 * 5, 1), w = random_values(12 * 4 * 5, 2);
    const auto check = [&](auto layout) {
      check_op<double>(
          world, mesh, [](const auto& x) { return flatten<0, 1>(x); }, v, w, {w}, 0,
          given<double>(layout, {12, 4, 5}, v));
    };
    check(layout<Shard<0, tp>>);
    check(layout<Shard<0, dp, tp>>);
    check(layout<Shard<2, Balanced, tp>, Replicate<dp>>);
    check(layout<Partial<tp>>);
    check_op<double>(
        world, mesh, [](const auto& x) { return unflatten<1>(x, static_extents<12, 4>); }, v, w, {w}, 0,
        given<double>(layout<Shard<1, tp>, Shard<2, Balanced, dp>>, {1, 48, 5}, v));
    const auto x = zeros<double>(mesh, layout<Shard<0, tp>>, {12, 4, 5});
    CHECK(unflatten<0>(flatten<0, 1>(x), {12, 4}).data() == x.data());
    CHECK(describe(flatten<0, 1>(x)) == "f64[48@tp,5]");
    CHECK_THROWS_AS((unflatten<0>(x, {5, 2})), Error);

    const int p = mesh.template size<tp>();
    const auto ragged =
        zeros<double>(mesh, layout<Shard<0, Ragged, tp>>, extents({7, 4}).with_pieces(0, some_pieces(7, p)));
    const auto flat = flatten<0, 1>(ragged);
    CHECK(flat.shape().pieces(0)[0] == 4 * ragged.shape().pieces(0)[0]);
    CHECK(unflatten<0>(flat, {7, 4}).local_shape() == ragged.local_shape());
    if (p == 2) {
      const auto odd = zeros<double>(mesh, layout<Shard<0, Ragged, tp>>, extents({8}).with_pieces(0, {3, 5}));
      CHECK_THROWS_WITH_AS((unflatten<0>(odd, {4, 2})), doctest::Contains("no piece ends within a part"),
                           Error);
    }
  });
}

TEST_CASE("maxima and minima over ranks are redistributed") {
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  using Mesh = std::decay_t<decltype(mesh)>;
  const int p = mesh.size(), r = mesh.rank();
  const auto terms = [&]<class L>(L, double sign) {
    auto x = DTensor<double, 1, L, Mesh>(mesh, Shape{5}, detail::allocate<double>(mesh, 5));
    Values mine(5);
    for (int i = 0; i < 5; ++i) mine[static_cast<std::size_t>(i)] = sign * ((r + i) % p) - i;
    detail::copy_from_host(mesh, mine.data(), x.data(), 5);
    return x;
  };
  const auto largest = terms(layout<Partial<Max, tp>>, 1.0);
  const auto smallest = terms(layout<Partial<Min, tp>>, -1.0);
  CHECK(largest.describe() == "f64[5]{Pmax:tp}");
  Values most(5), least(5);
  for (int i = 0; i < 5; ++i) {
    most[static_cast<std::size_t>(i)] = p - 1 - i;
    least[static_cast<std::size_t>(i)] = -(p - 1) - i;
  }
  CHECK(gather(redistribute<Replicate<tp>>(largest)) == most);
  CHECK(gather(redistribute<Invariant<tp>>(smallest)) == least);
  CHECK(gather(redistribute<Shard<0, Balanced, tp>>(largest)) == most);
  CHECK(gather(redistribute<Shard<0, Balanced, tp>>(smallest)) == least);
  // The largest of equal values is the value: nothing moves.
  const auto again = redistribute<Partial<Max, tp>>(redistribute<Replicate<tp>>(largest));
  CHECK(gather(redistribute<Invariant<tp>>(again)) == most);
}

TEST_CASE("a vocabulary that no number of ranks divides: lookup, logits, loss") {
  for_each_mesh([](const World& world, const auto& mesh) {
    constexpr std::int64_t tokens = 6, vocabulary = 11, width = 3;
    const Values table = random_values(vocabulary * width, 1), dy = random_values(tokens * width, 2);
    const std::vector<std::int32_t> id{3, 10, 0, 7, 7, 4};
    Values y(tokens * width), dtable(vocabulary * width, 0.0);
    for (std::size_t i = 0; i < 6; ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        const std::size_t at = static_cast<std::size_t>(id[i]) * 3 + j;
        y[i * 3 + j] = table[at];
        dtable[at] += dy[i * 3 + j];
      }
    }
    const auto ids = given<std::int32_t>(layout<>, {tokens}, Values(id.begin(), id.end()));
    check_op<double>(
        world, mesh, [](const auto& i, const auto& t) { return redistribute<Invariant<tp>>(embedding(i, t)); },
        y, dy, {Values{}, dtable}, mesh.template size<tp>() > 1 ? 1 : 0, ids,
        given<double>(layout<Shard<0, Balanced, tp>>, {vocabulary, width}, table));

    const Values logits = random_values(tokens * vocabulary, 3);
    Values dlogits(logits.size()), loss{0.0};
    for (std::size_t i = 0; i < 6; ++i) {
      double total = 0;
      for (std::size_t j = 0; j < 11; ++j) total += std::exp(logits[i * 11 + j]);
      loss[0] += (std::log(total) - logits[i * 11 + static_cast<std::size_t>(id[i])]) / 6;
      for (std::size_t j = 0; j < 11; ++j)
        dlogits[i * 11 + j] =
            (std::exp(logits[i * 11 + j]) / total - (static_cast<int>(j) == id[i] ? 1 : 0)) / 6 * 0.5;
    }
    Tape<std::decay_t<decltype(mesh)>> tape(mesh);
    const auto x =
        tape.watch(put(mesh, given<double>(layout<Shard<1, Balanced, tp>>, {tokens, vocabulary}, logits)));
    const auto l = cross_entropy<over<tp>>(x, put(mesh, ids));
    CHECK(off(Values{item(l)}, loss) <= 1e-12);
    backward(scale(l, 0.5));
    CHECK(off(gather(tape.gradient(x)), dlogits) <= 1e-12);
  });
}

TEST_CASE("Views of different sizes become one tensor, without a copy") {
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  const int p = mesh.size(), r = mesh.rank();
  const std::vector<std::int64_t> sizes = some_pieces(9, p);
  const auto mine = static_cast<std::size_t>(sizes[static_cast<std::size_t>(r)]);
  Kokkos::View<double**, Kokkos::LayoutRight, Kokkos::DefaultHostExecutionSpace> view("mine", mine, 2);
  std::int64_t first = 0;
  for (int i = 0; i < r; ++i) first += sizes[static_cast<std::size_t>(i)];
  for (std::size_t i = 0; i < 2 * mine; ++i)
    view.data()[i] = static_cast<double>(2 * first) + static_cast<double>(i);
  const auto shape = extents({9, 2}).with_pieces(0, sizes);
  const auto x = wrap(mesh, layout<Shard<0, Ragged, tp>>, view, shape);
  CHECK(x.data() == view.data());
  CHECK(gather(x) == iota(18));
  CHECK(gather(copy_view(mesh, layout<Shard<0, Ragged, tp>>, view, shape)) == iota(18));
  const auto other = extents({8, 2}).with_pieces(0, some_pieces(8, p));
  if (static_cast<std::size_t>(some_pieces(8, p)[static_cast<std::size_t>(r)]) != mine)
    CHECK_THROWS_AS((wrap(mesh, layout<Shard<0, Ragged, tp>>, view, other)), Error);
}
