// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/nn/transformer.hpp>

#include "nn_test.hpp"
#include "sequence_block.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;
using comm::Collective;

namespace {

constexpr std::int64_t batch = 12, positions = 12, features = 24, heads = 12, hidden = 36;

using Whole = layout_t<Shard<0, dp>>;
using Split = layout_t<Shard<0, dp>, Shard<1, tp>>;

auto activation(auto layout, unsigned seed = 1) {
  return given<double>(layout, {batch, positions, features}, random_values(batch * positions * features, seed));
}

Values weights() { return random_values(batch * positions * features, 2); }

/// A collective of (batch x positions x features), as a tp group sees it.
std::string one(const auto& mesh, Collective what) {
  return sent(what, batch / mesh.template size<dp>() * positions * features);
}

Calls times(int n, const auto& mesh, Collective what) {
  return on_more_than_one(mesh.template size<tp>(), Calls(static_cast<std::size_t>(n), one(mesh, what)));
}

/// What a block sends forward, and backward, on a mesh that is not here.
template <template <class, class, class> class Block, class L>
std::pair<Calls, Calls> predict(L layout, const std::vector<int>& sizes) {
  const comm::Recording<comm::Abstract> world(comm::Abstract(sizes[0] * sizes[1]));
  const auto mesh = make_mesh<dp, tp>(world, sizes);
  using Mesh = std::decay_t<decltype(mesh)>;
  Block<double, Mesh, tp> block(mesh, "block", features, heads, hidden, 1, 0.02, 0.02);
  Tape tape(mesh);
  world.log().keep_order(true);
  const auto y = block(tape.watch(zeros<double>(mesh, layout, {batch, positions, features})));
  const Calls forward = calls_in(world.log());
  const auto loss = matmul<3>(y, zeros<double>(mesh, layout, {batch, positions, features}));
  world.log().clear();
  backward(loss);
  return {forward, calls_in(world.log())};
}

}  // namespace

TEST_CASE("the feed-forward layer: one all-reduce forward and one backward") {
  for_each_mesh([](const World& world, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    Mlp<double, Mesh, tp> layer(mesh, "mlp", features, hidden, 1, 0.02, 0.02);
    model::Parameters p = set_parameters(layer);
    const Calls reduced = times(1, mesh, Collective::all_reduce);
    check_layer<Whole>(world, layer, model::Mlp(p, "mlp", features, hidden), p, weights(), reduced, reduced,
                       activation(Whole{}), mesh);
  });
}

TEST_CASE("self-attention: one all-reduce forward and one backward") {
  for_each_mesh([](const World& world, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    SelfAttention<double, Mesh, tp> layer(mesh, "attention", features, heads, 1, 0.02, 0.02);
    model::Parameters p = set_parameters(layer);
    const Calls reduced = times(1, mesh, Collective::all_reduce);
    check_layer<Whole>(world, layer, model::Attention(p, "attention", batch, positions, features, heads), p,
                       weights(), reduced, reduced, activation(Whole{}), mesh);
  });
}

TEST_CASE("a block costs two all-reduces forward and two backward, here and on an abstract mesh") {
  for_each_mesh([](const World& world, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    TransformerBlock<double, Mesh, tp> layer(mesh, "block", features, heads, hidden, 1, 0.02, 0.02);
    model::Parameters p = set_parameters(layer);
    const Calls reduced = times(2, mesh, Collective::all_reduce);
    check_layer<Whole>(world, layer, model::Block(p, "block", batch, positions, features, heads, hidden), p,
                       weights(), reduced, reduced, activation(Whole{}), mesh);
    const auto [forward, back] =
        predict<TransformerBlock>(Whole{}, {mesh.template size<dp>(), mesh.template size<tp>()});
    CHECK(forward == reduced);
    CHECK(back == reduced);
  });
}

TEST_CASE("with the positions split the same block gathers and scatters, and has the same numbers") {
  for_each_mesh([](const World& world, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    SequenceBlock<double, Mesh, tp> layer(mesh, "block", features, heads, hidden, 1, 0.02, 0.02);
    model::Parameters p = set_parameters(layer);
    const std::string gathered = one(mesh, Collective::all_gather),
                      scattered = one(mesh, Collective::reduce_scatter);
    const Calls calls = on_more_than_one(mesh.template size<tp>(), {gathered, scattered, gathered, scattered});
    check_layer<Split>(world, layer, model::Block(p, "block", batch, positions, features, heads, hidden), p,
                       weights(), calls, calls, activation(Split{}), mesh);
    const auto [forward, back] =
        predict<SequenceBlock>(Split{}, {mesh.template size<dp>(), mesh.template size<tp>()});
    CHECK(forward == calls);
    CHECK(back == calls);
  });
}

TEST_CASE("what a block would send on a mesh of 4 x 6 ranks") {
  const auto [forward, back] = predict<TransformerBlock>(Whole{}, {4, 6});
  const Calls reduced(2, sent(Collective::all_reduce, batch / 4 * positions * features));
  CHECK(forward == reduced);
  CHECK(back == reduced);
}

TEST_CASE("gradients of two micro-batches add up to the whole batch's") {
  for_each_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    Mlp<double, Mesh, tp> layer(mesh, "mlp", features, hidden, 1, 0.02, 0.02);
    model::Parameters p = set_parameters(layer);
    Tape tape(mesh);
    for (unsigned seed = 10; seed < 12; ++seed) {
      const auto x = activation(Whole{}, seed);
      model::Mlp plain(p, "mlp", features, hidden);
      plain.forward(x.values);
      plain.backward(weights());
      backward(weighted_sum(layer(tape.watch(put(mesh, x))), weights()));
      tape.clear();
    }
    CHECK(gradients_off(gradients_of(layer), p.gradient) <= nn_tolerance);
  });
}

TEST_CASE("each micro-batch may have a tape of its own") {
  for_each_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    Mlp<double, Mesh, tp> layer(mesh, "mlp", features, hidden, 1, 0.02, 0.02);
    model::Parameters p = set_parameters(layer);
    for (unsigned seed = 10; seed < 13; ++seed) {
      const auto x = activation(Whole{}, seed);
      model::Mlp plain(p, "mlp", features, hidden);
      plain.forward(x.values);
      plain.backward(weights());
      Tape tape(mesh);  // where the one before it lay, as a rule
      backward(weighted_sum(layer(tape.watch(put(mesh, x))), weights()));
    }
    CHECK(gradients_off(gradients_of(layer), p.gradient) <= nn_tolerance);
  });
}
