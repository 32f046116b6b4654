// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/nn/llama_file.hpp>

#include "model_case.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;
using comm::Collective;

namespace {

FileWeights gradients_in(const TensorFile& file) {
  return FileWeights(file,
                     [](const TensorFile&, const std::string& name) { return StoredWeight{"grad." + name}; });
}

template <class Plan>
void check_plan(const ModelCase& c) {
  for_each_mesh([&](const World&, const auto& mesh) {
    const LlamaConfig config = llama_config(c.settings);
    if (mesh.template size<tp>() > config.kv_heads && !std::is_same_v<typename Plan::key, Whole>) return;
    const auto model = parallelize<Llama, double, Plan>(mesh, config, llama_weights(c.weights));
    CHECK(off(gather(model.logits(c.tokens(mesh, "input_ids"))), c.values("logits")) <= nn_tolerance);
    check_training<Llama, Plan>(
        c, mesh, config, llama_weights(c.weights), gradients_in(c.expected), [&](const auto& m, auto& tape) {
          return m.loss(tape.input(c.tokens(mesh, "input_ids")), c.tokens(mesh, "targets"));
        });
  });
}

}  // namespace

TEST_CASE("a Llama, tied, untied and with biases: logits, loss and every gradient") {
  for (const char* name : {"llama", "llama_untied", "qwen2"}) {
    CAPTURE(name);
    check_plan<TensorParallel<tp>>(ModelCase(name));
  }
}

TEST_CASE("a Llama whose stream is split over the positions") {
  for (const char* name : {"llama", "llama_untied", "qwen2"}) check_plan<SequenceParallel<tp>>(ModelCase(name));
}

TEST_CASE("a Llama whose ranks share the key heads") {
  check_plan<SharedKeys<TensorParallel<tp>>>(ModelCase("qwen2"));
  check_plan<SharedKeys<SequenceParallel<tp>>>(ModelCase("llama_untied"));
}

namespace {

/// Each rank computes all of the MLPs.
struct WholeMlp : TensorParallel<tp> {
  using gate = Whole;
  using up = Whole;
  using down = Whole;
};
/// Each rank computes the MLPs of its own positions.
struct SequenceMlp : SequenceParallel<tp> {
  using gate = Whole;
  using up = Whole;
  using down = Whole;
};
/// Nothing is split.
struct Undivided : WholeMlp {
  using tables = Whole;
  using query = Whole;
  using key = Whole;
  using value = Whole;
  using attention_output = Whole;
  using logits = Whole;
};

/// Names of the collectives over tp, in order.
Calls kinds_in(const comm::CommLog& log) {
  Calls all;
  for (const comm::CommCall& call : log.calls())
    all.push_back(std::string(comm::name(call.what)) + " " + call.label);
  return all;
}

/// What one step sends over all ranks as tp: forward, backward, and the gradients.
template <class Plan>
void check_calls(const ModelCase& c, const Calls& forward, const Calls& back, bool reduces) {
  const World all = world();
  const auto mesh = make_mesh<dp, tp>(all, {1, all.size()});
  comm::CommLog& log = all.log();
  log.keep_order(true);
  const LlamaConfig config = llama_config(c.settings);
  if (mesh.template size<tp>() > config.kv_heads) return;
  auto model = parallelize<Llama, double, Plan>(mesh, config, llama_weights(c.weights));
  Gradients gradients(model);
  const auto ids = c.tokens(mesh, "input_ids"), targets = c.tokens(mesh, "targets");
  Tape tape(mesh);
  log.clear();
  const auto loss = model.loss(tape.input(ids), targets);
  CHECK(kinds_in(log) == on_more_than_one(all.size(), forward));
  log.clear();
  backward(loss);
  CHECK(kinds_in(log) == on_more_than_one(all.size(), back));
  log.clear();
  const std::int64_t elements = partial_over_tp(model);
  gradients.template reduce<over<dp, tp>>();
  CHECK((elements > 0) == reduces);
  CHECK(calls_in(log) == on_more_than_one(reduces ? all.size() : 1, {sent(Collective::all_reduce, elements)}));
  log.keep_order(false);
}

Calls repeated(Calls first, const Calls& block, int times, const Calls& last) {
  for (int i = 0; i < times; ++i) first.insert(first.end(), block.begin(), block.end());
  first.insert(first.end(), last.begin(), last.end());
  return first;
}

}  // namespace

TEST_CASE("another plan needs no other model") {
  check_plan<WholeMlp>(ModelCase("llama"));
  check_plan<SequenceMlp>(ModelCase("llama_untied"));
  check_plan<Undivided>(ModelCase("llama_untied"));
}

TEST_CASE("what a step sends follows from the plan") {
  const std::string sum = "all_reduce tp", gathered = "all_gather tp", scattered = "reduce_scatter tp";
  const ModelCase c("llama");
  check_calls<TensorParallel<tp>>(c, repeated({sum}, {sum, sum}, 2, {sum, sum}),
                                  repeated({sum}, {sum, sum}, 2, {}), false);
  // Two gathers and two scatters each way for each block, and the norms' gradients once a step.
  const Calls pairs{gathered, scattered, gathered, scattered};
  check_calls<SequenceParallel<tp>>(c, repeated({scattered}, pairs, 2, {gathered, sum, sum}),
                                    repeated({scattered}, pairs, 2, {gathered}), true);
  check_calls<WholeMlp>(c, repeated({sum}, {sum}, 2, {sum, sum}), repeated({sum}, {sum}, 2, {}), false);
}

TEST_CASE("a model that does not fit its ranks or its file is refused on every rank") {
  const ModelCase c("llama");
  const LlamaConfig good = llama_config(c.settings);
  const auto refused = [](auto&& f, const char* sentence) {
    CHECK_THROWS_WITH_AS(f(), doctest::Contains(sentence), Error);
  };
  refused([&] { check(good, 10, true); },
          "tpx::Llama: each rank of the tensor axis has a query head; heads = 9, ranks = 10");
  refused([&] { check(good, 4, false); },
          "tpx::Llama: each rank of the tensor axis has a key head, unless the plan is SharedKeys<...>; "
          "kv_heads = 3");
  CHECK_NOTHROW(check(good, 9, true));

  const auto mesh = make_mesh<tp>(world());
  if (mesh.size() > 3) return;
  const auto loaded = [&](auto&& change, const TensorFile& file) {
    LlamaConfig config = good;
    change(config);
    return [&, config] { parallelize<Llama, double, TensorParallel<tp>>(mesh, config, llama_weights(file)); };
  };
  refused(loaded([](LlamaConfig& x) { x.ffn = 54; }, c.weights),
          "tensor 'model.layers.0.mlp.gate_proj.weight' is F32[27,36]; expected the shape [54,36]");
  refused(loaded([](LlamaConfig& x) { x.layers = 3; }, c.weights),
          "has no tensor 'model.layers.2.input_layernorm.weight'; the nearest of its 20 are 'model.layers.");
  refused(loaded([](LlamaConfig& x) { x.kv_heads = 2; }, c.weights), "heads are a multiple of kv_heads");
  refused(loaded([](LlamaConfig& x) { x.tied = false; }, c.weights), "has no tensor 'lm_head.weight'");
  refused(loaded([](LlamaConfig&) {}, c.expected), "has no tensor 'model.embed_tokens.weight'; the nearest");

  const auto model = parallelize<Llama, double, TensorParallel<tp>>(mesh, good, llama_weights(c.weights));
  const auto ids = [&](std::int64_t n, std::int32_t id) {
    return full<std::int32_t>(mesh, layout<>, {1, n}, id);
  };
  refused([&] { model.logits(ids(33, 1)); }, "tpx::Llama: 33 tokens are more than the context, which has 32");
  refused([&] { model.logits(ids(4, 61)); }, "ids are at least 0 and less than the vocabulary");
}

TEST_CASE("a layer and a model that do not fit the memory of one rank fit that of two") {
  const auto mesh = make_mesh<tp>(world());
  auto& pool = mesh.context().pool();
  const auto check_limit = [&](std::int64_t limit, auto&& make) {
    pool.set_limit(limit);
    if (mesh.size() == 1) {
      CHECK_THROWS_WITH_AS(make(), doctest::Contains("which exceeds the limit of"), Error);
    } else {
      CHECK_NOTHROW(make());
      CHECK(pool.peak() <= limit);
    }
    pool.set_limit(0);
  };
  using Layer =
      Projection<double, std::decay_t<decltype(mesh)>, TensorParallel<tp>, Column, 1, 1, Replicate<tp>>;
  check_limit(7 << 20,
              [&] { Layer(mesh, RandomWeights(1), "layer", {1024}, {1024}, true); });  // 8 MiB of weights

  LlamaConfig config = llama_config(ModelCase("llama").settings);
  config.vocabulary = 8192;
  config.context = 64;
  config.ffn = 2048;
  check_limit(5 << 20, [&] {  // 4 MB of parameters in all
    const auto ids = full<std::int32_t>(mesh, layout<>, {1, 8}, 3);
    with_llama<double, tp>(mesh, config, RandomWeights(1),
                           [&](const auto& model) { gather(model.loss(ids, ids)); });
  });
}
