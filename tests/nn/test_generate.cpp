// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/nn/generate.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

#include <tpx/nn/gpt2_file.hpp>
#include <tpx/nn/llama_file.hpp>

#include "model_case.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

using Tokens = std::vector<std::int32_t>;

const std::vector<Tokens> prompts{{5, 17, 3, 42, 60}, {7}, {30, 2, 9}};

/// The same choice by sorting all logits of a row.
std::int32_t choose_plainly(const Values& logits, const SampleOptions& options, std::int64_t row) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
  if (options.temperature == 0) return static_cast<std::int32_t>(order[0]);
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  const auto weight = [&](std::size_t c) {
    return std::exp((logits[c] - logits[order[0]]) / options.temperature);
  };
  double all = 0, sum = 0;
  for (const std::size_t c : order) all += weight(c);
  std::size_t kept = 0;
  while (kept < order.size() && sum < options.top_p * all) sum += weight(order[kept++]);
  order.resize(kept);
  double highest = -std::numeric_limits<double>::infinity();
  std::size_t best = 0;
  for (const std::size_t c : order) {
    const PhiloxBlock bits = philox(options.seed, (options.step << 32) + static_cast<std::uint64_t>(row), c);
    const double u = unit_interval(bits.word[0], bits.word[1]) * (1 - 0x1p-52) + 0x1p-53;
    const double score = logits[c] / options.temperature - std::log(-std::log(u));
    if (score > highest) {
      highest = score;
      best = c;
    }
  }
  return static_cast<std::int32_t>(best);
}

/// The tokens that follow a prompt, each from a forward of all tokens before it.
template <class Model>
Tokens continue_plainly(const Model& model, Tokens tokens, std::int64_t row, std::size_t count,
                        SampleOptions options) {
  const std::size_t start = tokens.size();
  while (tokens.size() < start + count) {
    const auto n = static_cast<std::int64_t>(tokens.size());
    const auto ids = from_function<std::int32_t>(model.mesh(), layout<>, {1, n}, [&](const auto& at) {
      return tokens[static_cast<std::size_t>(at[1])];
    });
    const Values logits = gather(model.logits(ids));
    tokens.push_back(
        choose_plainly(Values(logits.end() - model.config().vocabulary, logits.end()), options, row));
    ++options.step;
  }
  return Tokens(tokens.begin() + static_cast<std::ptrdiff_t>(start), tokens.end());
}

const SampleOptions ways[] = {{},
                              {.temperature = 0.8, .seed = 3},
                              {.temperature = 1.5, .top_k = 5, .seed = 4},
                              {.temperature = 2, .top_p = 0.7, .seed = 5, .step = 9},
                              {.temperature = 1, .top_k = 20, .top_p = 0.5, .seed = 6}};

template <class Model>
void check_generation(const Model& model) {
  constexpr std::size_t count = 8;
  for (const SampleOptions& options : ways) {
    CAPTURE(options.temperature);
    CAPTURE(options.top_k);
    CAPTURE(options.top_p);
    Generator generator(model, 3, 16);
    std::vector<Tokens> answers(prompts.size());
    Tokens tokens = generator.start(prompts, options);
    for (std::size_t n = 0;; tokens = generator.next(tokens, options)) {
      for (std::size_t b = 0; b < prompts.size(); ++b) answers[b].push_back(tokens[b]);
      if (++n == count) break;
    }
    for (std::size_t b = 0; b < prompts.size(); ++b)
      CHECK(answers[b] == continue_plainly(model, prompts[b], static_cast<std::int64_t>(b), count, options));
  }
}

}  // namespace

TEST_CASE("a batch of prompts is continued as each of them would be without a cache") {
  const ModelCase llama("qwen2"), gpt2("gpt2");
  for_each_mesh([&](const World&, const auto& mesh) {
    const LlamaConfig config = llama_config(llama.settings);
    if (mesh.template size<tp>() <= config.kv_heads)
      check_generation(
          parallelize<Llama, double, TensorParallel<tp>>(mesh, config, llama_weights(llama.weights)));
    if (mesh.template size<tp>() == 1 || mesh.template size<tp>() > config.kv_heads)
      check_generation(parallelize<Llama, double, SharedKeys<TensorParallel<tp>>>(
          mesh, config, llama_weights(llama.weights)));
    check_generation(parallelize<Gpt2, double, TensorParallel<tp>>(mesh, gpt2_config(gpt2.settings),
                                                                   gpt2_weights(gpt2.weights)));
  });
}

TEST_CASE("a token costs the ranks two sums a layer, and after the first no memory") {
  const ModelCase c("llama");
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  const LlamaConfig config = llama_config(c.settings);
  if (all.size() > config.kv_heads) return;
  const auto model = parallelize<Llama, float, TensorParallel<tp>>(mesh, config, llama_weights(c.weights));
  Generator generator(model, 3, 16);
  for (const SampleOptions& options : {ways[0], ways[4]}) {
    Tokens tokens = generator.start(prompts, options);
    tokens = generator.next(tokens, options);
    const std::int64_t allocations = mesh.context().pool().allocations();
    for (int i = 0; i < 4; ++i) tokens = generator.next(tokens, options);
    CHECK(mesh.context().pool().allocations() == allocations);
  }
  comm::CommLog& log = all.log();
  log.keep_order(true);
  log.clear();
  generator.next({1, 2, 3}, {});
  const std::string sum = sent(comm::Collective::all_reduce, 3 * config.hidden);
  CHECK(calls_in(log) == on_more_than_one(all.size(), {sum, sum, sum, sum, sum,
                                                       sent(comm::Collective::all_gather, 6 * all.size())}));
  log.keep_order(false);
}

TEST_CASE("classes are drawn as often as softmax says, the same ones on every mesh") {
  constexpr std::int64_t rows = 6000, classes = 7;
  const Values logits{0.3, -1.2, 2.0, 0.1, 1.1, -0.4, 9.0};  // the last is padding
  for_each_mesh([&](const World&, const auto& mesh) {
    const auto given =
        from_function<float>(mesh, layout<Shard<0, Balanced, dp>, Shard<1, Balanced, tp>>, {rows, classes},
                             [&](const auto& at) { return logits[static_cast<std::size_t>(at[1])]; });
    for (const double temperature : {1.0, 0.5}) {
      const auto drawn = gather(sample<over<tp>>(given, {.temperature = temperature, .seed = 8, .classes = 6}));
      Values count(classes), likely(classes);
      for (const std::int32_t c : drawn) count.at(static_cast<std::size_t>(c)) += 1;
      double sum = 0, deviation = 0;
      for (std::size_t c = 0; c < 6; ++c) sum += likely[c] = std::exp(logits[c] / temperature);
      CHECK(count[6] == 0);
      for (std::size_t c = 0; c < 6; ++c) {
        const double expected = rows * likely[c] / sum;
        deviation += (count[c] - expected) * (count[c] - expected) / expected;
      }
      CHECK(deviation < 20.5);  // chi square of 5 degrees of freedom: 1 in 1000
      CHECK(drawn[0] == choose_plainly(Values(logits.begin(), logits.end() - 1),
                                       {.temperature = temperature, .seed = 8}, 0));
      CHECK(drawn[rows - 1] == choose_plainly(Values(logits.begin(), logits.end() - 1),
                                              {.temperature = temperature, .seed = 8}, rows - 1));
    }
    // More than one largest: the first.
    const auto even = full<float>(mesh, layout<Shard<1, Balanced, tp>>, {2, 5}, 1.0F);
    CHECK(gather(sample<over<tp>>(even)) == Tokens{0, 0});
    // More classes wanted than there are.
    const auto few = gather(sample<over<tp>>(even, {.temperature = 1, .top_k = 4, .top_p = 0.999}));
    CHECK(*std::max_element(few.begin(), few.end()) < 5);
  });
}

TEST_CASE("prompts that cannot be continued are refused on every rank") {
  const ModelCase c("gpt2");
  const auto mesh = make_mesh<tp>(world());
  const auto model =
      parallelize<Gpt2, float, TensorParallel<tp>>(mesh, gpt2_config(c.settings), gpt2_weights(c.weights));
  const auto refused = [](auto&& f, const char* sentence) {
    CHECK_THROWS_WITH_AS(f(), doctest::Contains(sentence), Error);
  };
  refused([&] { Generator(model, 1, 25); },
          "25 tokens, prompt and answer, are more than the context, which has 24");
  Generator generator(model, 1, 6);
  refused([&] { generator.start({{}}, {}); }, "a prompt has no token");
  refused([&] { generator.start({Tokens(7, 1)}, {}); },
          "a prompt of 7 tokens is longer than the 6 there is room for");
  refused([&] { generator.start({{3, 61}}, {}); }, "token 61 is not in the vocabulary, which has 61");
  refused([&] { generator.start({{1}}, {.temperature = -1}); }, "options.temperature");
  refused([&] { generator.start({{1}}, {.temperature = 1, .top_p = 0}); }, "options.top_p");
  Tokens tokens = generator.start({Tokens(5, 1)}, {});
  tokens = generator.next(tokens, {});
  refused([&] { generator.next(tokens, {}); }, "the sequence has 6 tokens, and room for no more");
}
