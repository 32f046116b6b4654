// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/train/data_parallel.hpp>

#include "train/pipeline_training.hpp"

namespace tpx::test {

/// Any number of samples: of a micro-batch ranks may have one more than others, or none.
using Samples = Shard<0, Balanced, dp>;

/// The deep GPT on a mesh <dp, pp, tp>, its gradients, state and parameters split as the options say.
template <class Mesh, class T>
class SplitTraining {
  using Stage = PipelineGpt<T, decltype(stage_mesh<pp>(std::declval<Mesh>())), Samples, tp>;

 public:
  SplitTraining(const Mesh& mesh, const PipelinePlan& plan, const DataParallelOptions& options, T)
      : mesh_(mesh),
        micro_batches_(deep_batch, plan.micro_batches),
        schedule_(make_pipeline_schedule(plan.kind, mesh.template size<pp>(), plan.micro_batches, plan.chunks)),
        stage_(stage_mesh<pp>(mesh), deep_gpt(plan.recompute), schedule_,
               even_layers(deep_gpt().layers, schedule_.stages()), mesh.template coordinate<pp>()),
        pipeline_(mesh, stage_, schedule_),
        data_(stage_, options) {}

  Stage& stage() { return stage_; }
  DataParallel<dp, Stage>& data() { return data_; }

  auto step(std::int64_t number) {
    const auto batch =
        make_token_batch<Samples>(stage_.mesh(), micro_batches_, deep_gpt().context,
                                  [=](std::int64_t i, std::int64_t at) { return deep_token(number, i, at); });
    data_.reset();
    const auto loss = pipeline_.run(batch, data_.when_final());
    data_.reduce();
    data_.template add_tied<pp>(mesh_);
    data_.step(deep_rate()(number), data_.template clip<over<dp, pp, tp>>(1.0, mesh_));
    return redistribute<Invariant<dp>>(loss);
  }

  std::int64_t parameters() {
    std::int64_t n = 0;
    stage_.visit([&](const auto& p) { n += p.local_count(); });
    return n;
  }

  /// Values and moments of what this rank updates.
  std::vector<T> state() {
    std::vector<T> all;
    for (const auto& s : data_.states()) {
      for (const T* from : {s.value, s.first, s.second}) {
        all.resize(all.size() + static_cast<std::size_t>(s.count));
        detail::copy_to_host(mesh_, from, all.data() + all.size() - s.count, s.count);
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
  Mesh mesh_;
  MicroBatches micro_batches_;
  PipelineSchedule schedule_;
  Stage stage_;
  Pipeline<pp, Mesh, Stage> pipeline_;
  DataParallel<dp, Stage> data_;
};

}  // namespace tpx::test
