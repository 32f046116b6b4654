// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/train/gradients.hpp>

#include "gpt_case.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;
using comm::Collective;

namespace {

template <class Mesh>
using Model = Gpt<double, Mesh, tp>;

}  // namespace

TEST_CASE("a GPT's loss and the gradient of every parameter, and what it sends") {
  GptCase c;
  for_each_mesh([&](const World& world, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    comm::CommLog& log = world.log();
    log.keep_order(true);
    log.clear();
    Model<Mesh> model(mesh, c.config);
    Gradients gradients(model);
    CHECK(calls_in(log).empty());
    c.prepare(model);
    Tape tape(mesh);
    log.clear();
    const auto loss = model.loss(tape.input(c.tokens(mesh, GptCase::id)), c.tokens(mesh, GptCase::target));
    static_assert(std::is_same_v<typename decltype(loss)::layout_type, layout_t<Partial<dp>>>);

    const int data = mesh.template size<dp>(), ranks = mesh.template size<tp>();
    const std::int64_t rows = c.batch / data * c.config.context;
    const std::string activation = sent(Collective::all_reduce, rows * c.config.hidden);
    Calls forward(static_cast<std::size_t>(1 + 2 * c.config.layers),
                  activation);  // the embedding, then the blocks
    forward.push_back(sent(Collective::all_reduce, rows));
    forward.push_back(sent(Collective::all_reduce, 2 * rows));
    CHECK(calls_in(log) == on_more_than_one(ranks, forward));
    log.clear();
    backward(loss);
    const Calls back(static_cast<std::size_t>(1 + 2 * c.config.layers),
                     activation);  // the output layer, the blocks
    CHECK(calls_in(log) == on_more_than_one(ranks, back));

    const auto every = gradients_of(model);
    std::int64_t elements = 0;
    model.visit([&](auto& p) { elements += p.local_count(); });
    log.clear();
    const auto reduced = gradients.template reduce<over<dp>>();
    CHECK(calls_in(log) == on_more_than_one(data, {sent(Collective::all_reduce, elements, "dp")}));
    log.keep_order(false);

    CHECK(every.size() == 4 + 16 * static_cast<std::size_t>(c.config.layers));
    CHECK(gradients_off(every, c.parameters.gradient) <= nn_tolerance);
    const double mean = item(redistribute<Invariant<dp>>(detach(loss)));
    CHECK(std::fabs(mean - c.loss) <= nn_tolerance * c.loss);
    CHECK(c.loss_of(model) == mean);  // the same without a tape

    // Reduced in place: what an optimizer reads is the sum.
    model.visit([&](auto& p) {
      const Values& sum = every.at(p.track().state->name);
      const Distribution d(p.shape(), p.spec, mesh.grid());
      const auto mine = local_values(reduced.gradient(p));
      double difference = 0;
      for_each_element(d, [&](std::int64_t i, std::int64_t at) {
        difference = std::fmax(
            difference, std::fabs(mine[static_cast<std::size_t>(i)] - sum[static_cast<std::size_t>(at)]));
      });
      CHECK(difference <= 1e-12);
    });
  });
}

TEST_CASE("a GPT's gradients against central differences") {
  GptCase c;
  for_each_mesh([&](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    Model<Mesh> model(mesh, c.config);
    c.prepare(model);
    int compared = 0;
    for (const std::string& name :
         {std::string("tokens"), std::string("positions"), std::string("block0.attention.key.weight"),
          std::string("block1.mlp.in.bias"), std::string("block1.norm1.weight"), std::string("norm.bias")}) {
      CAPTURE(name);
      model.visit([&](auto& p) {
        if (p.track().state->name != name) return;
        ++compared;
        const Values& value = c.parameters.value.at(name);
        const Values direction = random_values(static_cast<std::int64_t>(value.size()), 50);
        const auto loss_at = [&](double by) {
          Values moved = value;
          for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += by * direction[i];
          const auto mine = shard_of<double>(p.shape(), p.spec, mesh.grid(), moved);
          detail::copy_from_host(mesh, mine.data(), p.data(), p.local_count());
          return c.loss_of(model);
        };
        const double h = 1e-5;
        const double slope = (loss_at(h) - loss_at(-h)) / (2 * h);
        CHECK(loss_at(0) == doctest::Approx(c.loss).epsilon(1e-11));
        const Values& gradient = c.parameters.gradient.at(name);
        CHECK(std::fabs(slope - inner(gradient, direction)) <=
              1e-7 * (1 + std::sqrt(inner(gradient, gradient))));
      });
    }
    CHECK(compared == 6);
  });
}

TEST_CASE("a GPT's extents that do not fit are refused on every rank, in a sentence") {
  GptConfig good;
  good.vocabulary = 48;
  CHECK_NOTHROW(check(good, 4));
  const auto refused = [&](auto&& change, std::int64_t ranks, const char* sentence) {
    GptConfig c = good;
    change(c);
    CHECK_THROWS_WITH_AS(check(c, ranks), doctest::Contains(sentence), Error);
  };
  const char* at_least_1 = "tpx::Gpt: vocabulary, context, layers, hidden, heads and ffn are at least 1";
  refused([](GptConfig& c) { c.vocabulary = 0; }, 1, at_least_1);
  refused([](GptConfig& c) { c.context = 0; }, 1, at_least_1);
  refused([](GptConfig& c) { c.layers = -1; }, 1, at_least_1);
  refused([](GptConfig& c) { c.hidden = 0; }, 1, at_least_1);
  refused([](GptConfig& c) { c.heads = 0; }, 1, at_least_1);
  refused([](GptConfig& c) { c.ffn = -8; }, 1, at_least_1);
  refused([](GptConfig& c) { c.classes = 49; }, 1,
          "tpx::Gpt: the classes are part of the vocabulary; 49 of 48");
  refused([](GptConfig& c) { c.classes = -1; }, 1,
          "tpx::Gpt: the classes are part of the vocabulary; -1 of 48");
  refused([](GptConfig& c) { c.hidden = 190; }, 2,
          "tpx::Gpt: hidden is a multiple of heads; hidden = 190, heads = 12");
  refused([](GptConfig&) {}, 16, "tpx::Gpt: each rank of the tensor axis has a head; heads = 12, ranks = 16");
  refused([](GptConfig&) {}, 5, "tpx::Gpt: heads are a multiple of the tensor axis; heads = 12, ranks = 5");
  refused([](GptConfig& c) { c.ffn = 6; }, 4,
          "tpx::Gpt: the MLP's features are a multiple of the tensor axis; ffn = 6, ranks = 4");
  refused([](GptConfig& c) { c.vocabulary = 50; }, 4,
          "tpx::Gpt: the vocabulary is a multiple of the tensor axis; vocabulary = 50, ranks = 4");

  for_each_mesh([&](const World& world, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const std::int64_t before = calls(world.log());
    GptConfig c = good;
    c.hidden = 190;
    CHECK_THROWS_WITH_AS(Model<Mesh>(mesh, c),
                         doctest::Contains("hidden is a multiple of heads; hidden = 190, heads = 12"), Error);
    c = good;
    c.vocabulary = 48 * mesh.template size<tp>() + 1;
    if (mesh.template size<tp>() == 1) {
      CHECK_NOTHROW(Model<Mesh>(mesh, c));
    } else {
      CHECK_THROWS_WITH_AS(Model<Mesh>(mesh, c),
                           doctest::Contains("the vocabulary is a multiple of the tensor axis"), Error);
    }
    CHECK(calls(world.log()) == before);
  });
}

TEST_CASE("a sequence that is not the context is refused with both tensors in the message") {
  GptCase c;
  for_each_mesh([&](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const Model<Mesh> model(mesh, c.config);
    const auto ids = zeros<std::int32_t>(mesh, layout<Shard<0, dp>>, {12, 8});
    CHECK_THROWS_WITH_AS(model.logits(ids), doctest::Contains("f64[12,24]"), Error);
  });
}
