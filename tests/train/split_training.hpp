// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <vector>

#include <tpx/train/gpt_trainer.hpp>

#include "train/pipeline_training.hpp"

namespace tpx::test {

/// The deep GPT on a mesh <dp, pp, tp>, its gradients, state and parameters split as the options say.
template <class Mesh, class T>
class SplitTraining : public GptTrainer<T, Mesh> {
 public:
  SplitTraining(const Mesh& mesh, const PipelinePlan& plan, const DataParallelOptions& options, T)
      : GptTrainer<T, Mesh>(mesh, deep_gpt(plan.recompute),
                            {.batch = deep_batch,
                             .schedule = plan.kind,
                             .micro_batches = plan.micro_batches,
                             .chunks = plan.chunks,
                             .data = options}) {}

  auto step(std::int64_t number) { return GptTrainer<T, Mesh>::step(deep_rate()(number), tokens(number)); }
  double evaluate(std::int64_t number) { return GptTrainer<T, Mesh>::evaluate(tokens(number)); }

  /// Of the parameters on this rank.
  std::int64_t local_parameters() {
    std::int64_t n = 0;
    this->model().visit([&](const auto& p) { n += p.local_count(); });
    return n;
  }

  /// Values and moments of what this rank updates.
  std::vector<T> state() {
    std::vector<T> all;
    for (const auto& s : this->data().states()) {
      for (const T* from : {s.value, s.first, s.second}) {
        all.resize(all.size() + static_cast<std::size_t>(s.count));
        detail::copy_to_host(this->mesh(), from, all.data() + all.size() - s.count, s.count);
      }
    }
    return all;
  }

  std::vector<double> losses(std::int64_t first, std::int64_t end) {
    std::vector<double> all;
    for (std::int64_t i = first; i < end; ++i) all.push_back(static_cast<double>(item(step(i))));
    return all;
  }

 private:
  static auto tokens(std::int64_t number) {
    return [=](std::int64_t i, std::int64_t at) { return deep_token(number, i, at); };
  }
};

}  // namespace tpx::test
