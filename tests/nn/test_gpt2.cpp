// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/nn/gpt2_file.hpp>

#include "model_case.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

FileWeights gradients_in(const TensorFile& file) {
  return FileWeights(file, [](const TensorFile&, const std::string& name) {
    StoredWeight stored = detail::fused_queries(name);
    stored.name = "grad.transformer." + stored.name;
    stored.in_first = true;
    return stored;
  });
}

template <class Plan>
void check_plan() {
  const ModelCase c("gpt2");
  for_each_mesh([&](const World&, const auto& mesh) {
    const Gpt2Config config = gpt2_config(c.settings);
    const auto model = parallelize<Gpt2, double, Plan>(mesh, config, gpt2_weights(c.weights));
    CHECK(off(gather(model.logits(c.tokens(mesh, "input_ids"))), c.values("logits")) <= nn_tolerance);
    check_training<Gpt2, Plan>(
        c, mesh, config, gpt2_weights(c.weights), gradients_in(c.expected), [&](const auto& m, auto& tape) {
          return m.loss(tape.input(c.tokens(mesh, "input_ids")), c.tokens(mesh, "targets"));
        });
  });
}

}  // namespace

TEST_CASE("a GPT-2: logits, loss and every gradient") { check_plan<TensorParallel<tp>>(); }

TEST_CASE("a GPT-2 whose stream is split over the positions") { check_plan<SequenceParallel<tp>>(); }
