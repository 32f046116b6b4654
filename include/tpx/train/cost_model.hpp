// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <tpx/train/cluster.hpp>
#include <tpx/train/model_parts.hpp>
#include <tpx/train/pass_time.hpp>
#include <tpx/train/pipeline_placement.hpp>
#include <tpx/train/pipeline_schedule.hpp>
#include <tpx/train/stage_memory.hpp>

namespace tpx {

/// What is trained, whatever the mesh.
struct TrainingJob {
  GptConfig model;
  std::int64_t batch = 1;  ///< samples of a step, over all ranks
  int element_bytes = 4;   ///< of values and gradients: 4 or 8 here; 2 elsewhere, with float32 copies beside
  bool stored_scores = false;  ///< attention writes its scores out, with dropout, instead of going by blocks
  bool overlap = false;        ///< gradients are reduced, bucket by bucket, while backward still runs
};

/// How the ranks share it. The mesh is <dp, pp, tp>, tp innermost.
struct ParallelPlan {
  int dp = 1, pp = 1, tp = 1;
  std::int64_t micro_batch = 1;  ///< samples that a rank computes with at once, at most
  int zero = 0;                  ///< 1: optimizer state, 2: and gradients, 3: and parameters are Shard on dp
  Recompute recompute = Recompute::none;  ///< what of each block backward computes again; not job.model's
  PipelineKind schedule = PipelineKind::one_f_one_b;
  int chunks = 1;  ///< of layers on each pp rank, for interleaved

  int ranks() const { return dp * pp * tp; }
  /// Parts of a batch, as MicroBatches cuts it.
  int micro_batches(std::int64_t batch) const {
    return static_cast<int>((batch + dp * micro_batch - 1) / (dp * micro_batch));
  }
  friend bool operator==(const ParallelPlan&, const ParallelPlan&) = default;
};

/// What a step takes on the slowest rank: seconds, of which all but `seconds` are parts, and bytes.
struct StepCost {
  double seconds = 0;
  double compute = 0;        ///< forward, backward, recompute
  double update = 0;         ///< the optimizer
  double tensor_comm = 0;    ///< over tp
  double pipeline_comm = 0;  ///< between stages
  double data_comm = 0;      ///< gradients, and parameters where ZeRO shards them, over dp
  double bubble = 0;         ///< a stage waits for others
  double memory = 0;         ///< bytes

  double communication() const { return tensor_comm + pipeline_comm + data_comm; }
};

/// Floating-point operations of a step as published throughputs count them: matmuls and whole attention scores,
/// forward, backward, and where blocks are recomputed forward once more.
///
///   F = 24 B s l h^2 (1 + s / 6h) (3 + recompute) + 6 B s h V
///
/// @see    arXiv:2104.04473, section 5 and appendix, with recomputation
inline double counted_flops(const TrainingJob& job, bool recompute) {
  const auto d = [](std::int64_t n) { return static_cast<double>(n); };
  const GptConfig& c = job.model;
  const double tokens = d(job.batch) * d(c.context), h = d(c.hidden);
  return 24 * tokens * d(c.layers) * h * h * (1 + d(c.context) / (6 * h)) * (recompute ? 4 : 3) +
         6 * tokens * h * d(c.vocabulary);
}

/// Predicts steps of one job on one cluster. The parts that plans have in common are made once.
///
/// One micro-batch passes its stages in turn, then one comes out in the time of the slowest stage; interleaved,
/// the stages are v times as many and as short while the pipeline fills and empties:
///
///   t = m max_s t_s + (sum_s t_s - max_s t_s) / v + reduction of the gradients + update
///
/// Where micro-batches or ranks along dp have other numbers of samples, the rank with most is the one.
/// Nothing overlaps but gradients, where the job says so. Memory is parameters with their state, in buckets as
/// DataParallel keeps them, what the tape keeps for the micro-batches under way, as many as the schedule has in
/// flight, and backward's workspace.
///
/// @comm   none
/// @see    arXiv:2104.04473; arXiv:1910.02054 for the bytes of a parameter's state
class CostModel {
 public:
  CostModel(TrainingJob job, Cluster cluster) : job_(std::move(job)), cluster_(std::move(cluster)) {
    TPX_EXPECTS(job_.element_bytes == 2 || job_.element_bytes == 4 || job_.element_bytes == 8,
                job_.element_bytes, "elements have 2, 4 or 8 bytes");
    TPX_EXPECTS(job_.batch >= 1, job_.batch, "a step has a sample");
  }

  const TrainingJob& job() const { return job_; }
  const Cluster& cluster() const { return cluster_; }

  /// Why a plan cannot run, in a sentence, whatever the memory; empty where it can. The library's own checks.
  std::string complaint(const ParallelPlan& p) const {
    try {
      check(job_.model, p.tp);
      check_stages(job_.model.layers, p.pp * p.chunks);
      if (p.dp < 1 || p.micro_batch < 1) fail("tpx::ParallelPlan: a rank has a sample at once");
      if (p.zero < 0 || p.zero > 3) fail("tpx::ParallelPlan: zero is 0, 1, 2 or 3");
      check_pipeline(p.schedule, p.pp, p.micro_batches(job_.batch), p.chunks);
    } catch (const Error& error) {
      // Without whose rule it is and where it was found.
      const std::string words = error.what();
      const std::size_t start = words.find(": ");
      return words.substr(start == std::string::npos ? 0 : start + 2, words.rfind(" (rank") - start - 2);
    }
    return {};
  }

  /// @pre complaint(plan) is empty
  StepCost cost(const ParallelPlan& p) {
    const int count = p.micro_batches(job_.batch);
    const std::int64_t more = job_.batch % count;  // micro-batches with a sample more than the others
    const auto samples = [&](std::int64_t of_all) { return (of_all + p.dp - 1) / p.dp; };
    const Parts& most = parts_of({p.tp, samples(job_.batch / count + (more > 0 ? 1 : 0)), p.recompute});
    const Parts& least = parts_of({p.tp, samples(job_.batch / count), p.recompute});
    const double share = more > 0 ? static_cast<double>(more) / count : 1;
    const auto mean = [&](detail::PassTime Parts::*part) {
      return share * most.*part + (1 - share) * (least.*part);
    };

    const detail::PassTime block_backward = mean(&Parts::block_backward);
    const detail::PassTime block = mean(&Parts::block_forward) + block_backward;
    const detail::PassTime ends = mean(&Parts::ends_forward) + mean(&Parts::ends_backward);
    const double blocks = blocks_of(p, 0);  // the most that a rank has; the last one has the output layer
    const detail::PassTime full = blocks * block, last = blocks_of(p, p.pp - 1) * block + ends;
    const detail::PassTime slowest = last.total() > full.total() ? last : full;
    const double once = static_cast<double>(job_.model.layers) * block.total() + ends.total();

    StepCost cost;
    cost.compute = count * slowest.compute;
    cost.tensor_comm = count * slowest.comm;
    cost.bubble = (once - slowest.total()) / p.chunks;
    if (p.pp > 1) {
      // An activation and a gradient to a neighbour for each micro-batch and chunk. Once a step the gradient of
      // the token table, which the first and the last stage both have.
      const int stride = p.pp * p.tp > cluster_.ranks_per_node ? cluster_.ranks_per_node : p.tp;
      const auto send = [&](comm::Collective what, double bytes) {
        return detail::collective_time(cluster_, what, bytes, 2, stride);
      };
      const double each =
          send(comm::Collective::send, static_cast<double>(most.work.activation) * element_scale());
      cost.pipeline_comm =
          2.0 * count * p.chunks * each +
          send(comm::Collective::send_recv, tokens(p) * job_.element_bytes / (p.zero >= 2 ? p.dp : 1));
      cost.bubble += 2 * (p.pp - 1) * each;
    }
    finish(p, most, count, cost);
    if (job_.overlap && p.zero < 3) {
      // The last micro-batch's backward hides all but the last block's gradients.
      const double hides = blocks * block_backward.total();
      cost.data_comm = std::max(cost.data_comm - hides, cost.data_comm / (blocks + 1));
    }
    cost.seconds = cost.compute + cost.update + cost.communication() + cost.bubble;
    return cost;
  }

  /// What a rank of a tensor axis does and keeps for a micro-batch, as counted.
  const GptParts& parts(int tp, std::int64_t micro_batch, Recompute recompute = Recompute::none) {
    return parts_of({tp, micro_batch, recompute}).work;
  }

 private:
  struct Parts {
    GptParts work;
    detail::PassTime block_forward, block_backward, ends_forward, ends_backward;
    double saved = 0;      ///< bytes that the tape keeps of a block
    double workspace = 0;  ///< bytes that backward needs in a block beside those
  };
  struct Key {
    int tp;
    std::int64_t micro_batch;
    Recompute recompute;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  struct BucketKey {
    int tp, rank, pp, chunks;
    friend auto operator<=>(const BucketKey&, const BucketKey&) = default;
  };

  double element_scale() const { return job_.element_bytes / 4.0; }

  /// Layers of a rank along pp, all its chunks', placed evenly.
  double blocks_of(const ParallelPlan& p, int rank) const {
    const std::int64_t stages = p.pp * p.chunks, each = job_.model.layers / stages;
    std::int64_t blocks = 0;
    for (int c = 0; c < p.chunks; ++c) blocks += each + (c * p.pp + rank < job_.model.layers % stages ? 1 : 0);
    return static_cast<double>(blocks);
  }
  /// Elements of the token table on a rank that has it.
  double tokens(const ParallelPlan& p) const {
    return static_cast<double>(job_.model.vocabulary * job_.model.hidden) / p.tp;
  }

  const Parts& parts_of(const Key& key) {
    const auto [at, made] = parts_.try_emplace(key);
    Parts& parts = at->second;
    if (!made) return parts;
    GptConfig c = job_.model;
    c.recompute = key.recompute;
    parts.work = gpt_parts(c, key.tp, key.micro_batch);
    const double scale = element_scale();
    parts.block_forward = detail::pass_time(cluster_, parts.work.block_forward, scale);
    parts.block_backward = detail::pass_time(cluster_, parts.work.block_backward, scale);
    parts.ends_forward = detail::pass_time(cluster_, parts.work.ends_forward, scale);
    parts.ends_backward = detail::pass_time(cluster_, parts.work.ends_backward, scale);
    parts.saved = static_cast<double>(parts.work.block_saved) * scale;
    parts.workspace = static_cast<double>(parts.work.block_workspace) * scale;
    if (job_.stored_scores) {
      const double n = static_cast<double>(key.micro_batch * (c.heads / key.tp) * c.context) *
                       static_cast<double>(c.context);
      const double head_dim = static_cast<double>(c.hidden) / static_cast<double>(c.heads);
      const double element = job_.element_bytes;
      const detail::PassTime forward = detail::stored_scores(cluster_, n, head_dim, false, element);
      parts.block_forward = parts.block_forward + forward;
      parts.block_backward = parts.block_backward + detail::stored_scores(cluster_, n, head_dim, true, element);
      // What softmax and dropout gave, and the mask.
      (key.recompute == Recompute::none ? parts.saved : parts.workspace) += n * (2 * element + 1);
      if (key.recompute != Recompute::none) parts.block_backward = parts.block_backward + forward;
    }
    return parts;
  }

  /// Gradients, update and memory of the heaviest stage: the first one, with the embedding, or the last one,
  /// with the output layer.
  void finish(const ParallelPlan& p, const Parts& parts, int micro_batches, StepCost& cost) {
    const double dp = p.dp, e = job_.element_bytes;
    const GptParts& w = parts.work;
    const double positions = static_cast<double>(job_.model.context * job_.model.hidden);
    const auto parameters_of = [&](int rank) {
      const bool first = rank == 0, last = rank == p.pp - 1;
      const double norm = static_cast<double>(w.ends_parameters) - tokens(p) - positions;
      return blocks_of(p, rank) * static_cast<double>(w.block_parameters) + tokens(p) +
             (first ? positions : 0) + (last ? norm : 0);
    };
    const double parameters = std::max(parameters_of(0), parameters_of(p.pp - 1));
    const auto over_dp = [&](comm::Collective what, double elements) {
      return detail::collective_time(cluster_, what, elements * e, p.dp, p.pp * p.tp);
    };
    using comm::Collective;
    // As DataParallel does: stage 1 still gives all ranks the whole gradient.
    cost.data_comm = over_dp(p.zero <= 1 ? Collective::all_reduce : Collective::reduce_scatter, parameters);
    if (p.zero > 0) {
      cost.data_comm += (p.zero == 3 ? 2 * micro_batches : 1) * over_dp(Collective::all_gather, parameters);
    }
    // AdamW reads and writes value and moments and reads the gradient; clipping reads it once more. In float32.
    const auto count = static_cast<std::int64_t>(p.zero > 0 ? parameters / dp : parameters);
    cost.update = detail::launch_time(cluster_, {"tpx::adamw", {14 * count, 28 * count}}, 1) +
                  detail::launch_time(cluster_, {"tpx::clip_norm", {2 * count, 4 * count}}, 1);

    for (const int rank : {0, p.pp - 1})
      cost.memory = std::max(cost.memory, memory_of(p, rank, parts, micro_batches));
  }

  /// What a pipeline rank needs, at its peak: the micro-batch's parts are those of the largest one.
  double memory_of(const ParallelPlan& p, int rank, const Parts& parts, int micro_batches) {
    const double scale = element_scale();
    const bool first = rank == 0, last = rank == p.pp - 1;
    const auto [at, made] = buckets_.try_emplace({p.tp, rank, p.pp, p.chunks});
    if (made)
      at->second = detail::stage_buckets(parts.work, static_cast<std::int64_t>(blocks_of(p, rank)), first, last,
                                         job_.element_bytes);
    const int in_flight = most_in_flight(p.schedule, p.pp, micro_batches, p.chunks, rank);
    const detail::StageFlights flights{
        .in_flight = in_flight,
        .backwards = micro_batches * p.chunks,
        .chunks = p.chunks,
        .group = detail::first_pipeline_group(p.pp, micro_batches),
        .block = parts.saved,
        .chunk = blocks_of(p, rank) / p.chunks * parts.saved,
        .ends = last ? static_cast<double>(parts.work.ends_saved) * scale : 0,
        // Of several chunks the last one, which has the output layer, goes back at once.
        .ends_in_flight = p.chunks == 1 ? in_flight : 1,
        .block_workspace = parts.workspace,
        .ends_workspace = last ? static_cast<double>(parts.work.ends_workspace) * scale : 0};
    return detail::stage_peak(detail::stage_state(at->second, p.dp, p.zero, job_.element_bytes), flights, p.dp,
                              p.zero);
  }

  TrainingJob job_;
  Cluster cluster_;
  std::map<Key, Parts> parts_;  // where they are does not change
  std::map<BucketKey, std::vector<std::int64_t>> buckets_;
};

}  // namespace tpx
