// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/nn/layer_norm.hpp>
#include <tpx/nn/linear.hpp>

#include "nn_test.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;
using comm::Collective;

namespace {

constexpr std::int64_t batch = 12, positions = 12, in = 24, out = 36;

using I = Invariant<tp>;
using R = Replicate<tp>;
using S = Shard<1, tp>;

/// Of an activation [batch@dp, positions, features] with this placement on tp.
template <class Placement>
using activation = layout_t<Shard<0, dp>, Placement>;

Values random(std::int64_t n, unsigned seed) { return random_values(n, seed); }

/// Elements of an activation that a tp group holds together.
std::int64_t elements(const auto& mesh, std::int64_t features) {
  return batch / mesh.template size<dp>() * positions * features;
}

template <class Accepts, class Gives>
void check_column(const World& world, const auto& mesh, const Calls& forward, const Calls& back) {
  using Mesh = std::decay_t<decltype(mesh)>;
  using Result = activation<std::conditional_t<std::is_same_v<Gives, Features>, Shard<2, tp>, Gives>>;
  ColumnParallelLinear<double, Mesh, tp, 1, Accepts, Gives> layer(mesh, "linear", in, {out}, 1, 0.02);
  model::Parameters parameters = set_parameters(layer);
  const auto x =
      given<double>(activation<Accepts>{}, {batch, positions, in}, random(batch * positions * in, 1));
  const int p = mesh.template size<tp>();
  check_layer<Result>(world, layer, model::Linear{parameters, "linear", in, out}, parameters,
                      random(batch * positions * out, 2), on_more_than_one(p, forward),
                      on_more_than_one(p, back), x, mesh);
}

template <class Accepts, class Gives>
void check_row(const World& world, const auto& mesh, const Calls& forward, const Calls& back) {
  using Mesh = std::decay_t<decltype(mesh)>;
  RowParallelLinear<double, Mesh, tp, 1, Accepts, Gives> layer(mesh, "linear", {in}, out, 1, 0.02);
  model::Parameters parameters = set_parameters(layer);
  using Taken = activation<std::conditional_t<std::is_same_v<Accepts, Features>, Shard<2, tp>, Accepts>>;
  const auto x = given<double>(Taken{}, {batch, positions, in}, random(batch * positions * in, 3));
  const int p = mesh.template size<tp>();
  check_layer<activation<Gives>>(world, layer, model::Linear{parameters, "linear", in, out}, parameters,
                                 random(batch * positions * out, 4), on_more_than_one(p, forward),
                                 on_more_than_one(p, back), x, mesh);
}

}  // namespace

TEST_CASE("parameters are Replicate on the axes that split the data, and on no others") {
  using Tp = DeviceMesh<World, Kokkos::DefaultExecutionSpace, tp>;
  using Four = DeviceMesh<World, Kokkos::DefaultExecutionSpace, pp, dp, cp, tp>;
  static_assert(std::is_same_v<parameter_layout_t<Tp>, layout_t<>>);
  static_assert(std::is_same_v<parameter_layout_t<Tp, S>, layout_t<S>>);
  static_assert(std::is_same_v<parameter_layout_t<Four>, layout_t<Replicate<dp, cp>>>);
  static_assert(std::is_same_v<parameter_layout_t<Four, S>, layout_t<Replicate<dp, cp>, S>>);
  static_assert(std::is_same_v<parameter_layout_t<Four, R>, layout_t<Replicate<dp, cp, tp>>>);
  static_assert(std::is_same_v<parameter_layout_t<Four, I>, layout_t<Replicate<dp, cp>>>);
}

TEST_CASE("a column-parallel layer in all that it accepts and gives") {
  for_each_mesh([](const World& world, const auto& mesh) {
    const std::string x_reduced = sent(Collective::all_reduce, elements(mesh, in));
    const std::string x_gathered = sent(Collective::all_gather, elements(mesh, in));
    const std::string x_scattered = sent(Collective::reduce_scatter, elements(mesh, in));
    const std::string y_gathered = sent(Collective::all_gather, elements(mesh, out));
    const std::string y_scattered = sent(Collective::reduce_scatter, elements(mesh, out));
    check_column<I, Features>(world, mesh, {}, {x_reduced});
    check_column<I, I>(world, mesh, {y_gathered}, {x_reduced});
    check_column<I, R>(world, mesh, {y_gathered}, {y_scattered, x_reduced});
    check_column<R, Features>(world, mesh, {}, {});
    check_column<R, I>(world, mesh, {y_gathered}, {});
    check_column<R, R>(world, mesh, {y_gathered}, {y_scattered});
    check_column<S, Features>(world, mesh, {x_gathered}, {x_scattered});
    check_column<S, I>(world, mesh, {x_gathered, y_gathered}, {x_scattered});
    check_column<S, R>(world, mesh, {x_gathered, y_gathered}, {y_scattered, x_scattered});
  });
}

TEST_CASE("a row-parallel layer in all that it accepts and gives") {
  for_each_mesh([](const World& world, const auto& mesh) {
    const std::string x_gathered = sent(Collective::all_gather, elements(mesh, in));
    const std::string y_reduced = sent(Collective::all_reduce, elements(mesh, out));
    const std::string y_gathered = sent(Collective::all_gather, elements(mesh, out));
    const std::string y_scattered = sent(Collective::reduce_scatter, elements(mesh, out));
    check_row<Features, I>(world, mesh, {y_reduced}, {});
    check_row<Features, R>(world, mesh, {y_reduced}, {y_reduced});
    check_row<Features, S>(world, mesh, {y_scattered}, {y_gathered});
    check_row<I, I>(world, mesh, {y_reduced}, {x_gathered});
    check_row<I, R>(world, mesh, {y_reduced}, {y_reduced, x_gathered});
    check_row<I, S>(world, mesh, {y_scattered}, {y_gathered, x_gathered});
  });
}

TEST_CASE("a layer norm beside whole activations and beside split positions") {
  for_each_mesh([](const World& world, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const auto check = [&]<class Beside, class Placement>(Beside, Placement) {
      LayerNorm<double, Mesh, Placement> layer(mesh, "norm", in);
      model::Parameters parameters = set_parameters(layer);
      const auto x =
          given<double>(activation<Beside>{}, {batch, positions, in}, random(batch * positions * in, 5));
      check_layer<activation<Beside>>(world, layer, model::Norm{parameters, "norm", in}, parameters,
                                      random(batch * positions * in, 6), {}, {}, x, mesh);
    };
    check(I{}, I{});
    check(R{}, R{});
    check(S{}, R{});
  });
}

TEST_CASE("a new layer: the same weights on every mesh, no bias, a gain of one") {
  Values first;
  for_each_mesh([&](const World& world, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const std::int64_t before = calls(world.log());
    ColumnParallelLinear<double, Mesh, tp> column(mesh, "linear", in, {out}, 7, 0.02);
    RowParallelLinear<double, Mesh, tp> row(mesh, "linear", {in}, out, 7, 0.02);
    LayerNorm<double, Mesh, I> norm(mesh, "norm", in);
    CHECK(calls(world.log()) == before);
    Values values;
    std::vector<bool> decays;
    const auto look = [&](auto& p) {
      for (const double v : whole(value(p))) values.push_back(v);
      decays.push_back(p.track().state->decays);
    };
    column.visit(look);
    row.visit(look);
    norm.visit(look);
    CHECK(decays == std::vector<bool>{true, false, true, false, false, false});
    const auto part = [&](std::int64_t begin, std::int64_t n) {
      return Values(values.begin() + begin, values.begin() + begin + n);
    };
    const std::int64_t weight = in * out, linear = weight + out;
    REQUIRE(static_cast<std::int64_t>(values.size()) == 2 * linear + 2 * in);
    CHECK(part(0, weight) == part(linear, weight));  // of one name and shape, split along either dim
    CHECK(part(weight, out) == Values(out, 0.0));
    CHECK(part(linear + weight, out) == Values(out, 0.0));
    CHECK(part(2 * linear, in) == Values(in, 1.0));
    CHECK(part(2 * linear + in, in) == Values(in, 0.0));
    double mean = 0, square = 0;
    for (std::int64_t i = 0; i < weight; ++i) {
      mean += values[static_cast<std::size_t>(i)] / static_cast<double>(weight);
      square += values[static_cast<std::size_t>(i)] * values[static_cast<std::size_t>(i)] /
                static_cast<double>(weight);
    }
    CHECK(std::fabs(mean) < 0.02 * 0.15);  // 4 standard errors of 864 numbers
    CHECK(std::fabs(std::sqrt(square) / 0.02 - 1) < 0.1);
    if (first.empty()) first = values;
    CHECK(values == first);
  });
}

TEST_CASE("features that do not divide are refused on every rank, with the tensor in the message") {
  for_each_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    CHECK_THROWS_WITH_AS((ColumnParallelLinear<double, Mesh, tp, 2>(mesh, "linear", 4, {16}, 1, 0.02)),
                         doctest::Contains("factored features have as many extents"), Error);
    if (mesh.template size<tp>() == 1) {
      CHECK_NOTHROW(ColumnParallelLinear<double, Mesh, tp>(mesh, "linear", 5, {7}, 1, 0.02));
      CHECK_NOTHROW(RowParallelLinear<double, Mesh, tp>(mesh, "linear", {5}, 7, 1, 0.02));
    } else {
      CHECK_THROWS_WITH_AS((ColumnParallelLinear<double, Mesh, tp>(mesh, "linear", 5, {7}, 1, 0.02)),
                           doctest::Contains("f64[5,7@tp]{R:dp}"), Error);
      CHECK_THROWS_WITH_AS((RowParallelLinear<double, Mesh, tp>(mesh, "linear", {5}, 7, 1, 0.02)),
                           doctest::Contains("f64[5@tp,7]{R:dp}"), Error);
    }
  });
}
