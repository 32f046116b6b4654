// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/nn/bert_file.hpp>
#include <tpx/ops/mean_pool.hpp>

#include "model_case.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

FileWeights gradients_in(const TensorFile& file) {
  return FileWeights(file, [](const TensorFile&, const std::string& name) { return StoredWeight{"grad." + name}; });
}

/// The package gives the row of its padding token, which is token 0, no gradient for being looked up; here it is a
/// token like any other.
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
    check_training<Bert, Plan>(c, mesh, config, bert_weights(c.weights), gradients_in(c.expected),
                               [&](const auto& m, auto& tape) {
                                 return m.loss(tape.input(ids), tape.input(types), lengths, c.tokens(mesh, "targets"));
                               },
                               forget_token_0);
  });
}

}  // namespace

TEST_CASE("a BERT with padding: hidden state, logits, loss and every gradient") { check_plan<TensorParallel<tp>>(); }

TEST_CASE("a BERT whose stream is split over the positions") { check_plan<SequenceParallel<tp>>(); }
