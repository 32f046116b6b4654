// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include <tpx/train/cluster.hpp>
#include <tpx/train/model_parts.hpp>
#include <tpx/train/pass_time.hpp>

namespace tpx {

/// What is trained, whatever the mesh.
struct TrainingJob {
  GptConfig model;
  std::int64_t batch = 1;      ///< samples of a step, over all ranks
  int element_bytes = 4;       ///< of values and gradients; 2: with float32 copies for the optimizer
  bool stored_scores = false;  ///< attention writes its scores out, with dropout, instead of going by blocks
  bool overlap = false;        ///< gradients are reduced, bucket by bucket, while backward still runs
};

/// How the ranks share it. The mesh is <dp, pp, tp>, tp innermost.
struct ParallelPlan {
  int dp = 1, pp = 1, tp = 1;
  std::int64_t micro_batch = 1;  ///< samples that a rank computes with at once
  int zero = 0;                  ///< 1: optimizer state, 2: and gradients, 3: and parameters are Shard on dp
  Recompute recompute = Recompute::none;  ///< what of each block backward computes again; not job.model's

  int ranks() const { return dp * pp * tp; }
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
/// One micro-batch passes its stages in turn, then one comes out in the time of the slowest stage (1F1B):
///
///   t = (m - 1) max_s t_s + sum_s t_s + reduction of the gradients + update
///
/// Nothing overlaps but gradients, where the job says so. Memory is parameters with their state, what the tape
/// keeps for the micro-batches under way (pp at the first stage, 1 at the last), and backward's workspace.
///
/// @comm   none
/// @see    arXiv:2104.04473; arXiv:1910.02054 for the bytes of a parameter's state
class CostModel {
 public:
  CostModel(TrainingJob job, Cluster cluster) : job_(std::move(job)), cluster_(std::move(cluster)) {
    TPX_EXPECTS(job_.element_bytes == 2 || job_.element_bytes == 4, job_.element_bytes,
                "elements have 2 or 4 bytes");
    TPX_EXPECTS(job_.batch >= 1, job_.batch, "a step has a sample");
  }

  const TrainingJob& job() const { return job_; }
  const Cluster& cluster() const { return cluster_; }

  /// Why a plan cannot run, in a sentence, whatever the memory; empty where it can.
  std::string complaint(const ParallelPlan& p) const {
    const GptConfig& c = job_.model;
    const auto text = [](auto n) { return std::to_string(n); };
    try {
      check(c, p.tp);
    } catch (const Error& error) {
      // Without whose rule it is and where it was found.
      const std::string words = error.what();
      const std::size_t start = words.find(": ");
      return words.substr(start == std::string::npos ? 0 : start + 2, words.rfind(" (rank") - start - 2);
    }
    if (p.pp > c.layers) return "more stages than layers: " + text(p.pp) + " and " + text(c.layers);
    if (job_.batch % p.dp != 0)
      return "the batch of " + text(job_.batch) + " is not a multiple of dp=" + text(p.dp);
    const std::int64_t mine = job_.batch / p.dp;
    if (p.micro_batch < 1 || mine % p.micro_batch != 0)
      return text(mine) + " samples of a rank are not micro-batches of " + text(p.micro_batch);
    if (mine / p.micro_batch < p.pp)
      return text(mine / p.micro_batch) + " micro-batches do not fill " + text(p.pp) + " stages";
    if (p.zero > 0 && p.dp == 1) return "ZeRO has nothing to shard over dp=1";
    return {};
  }

  /// @pre complaint(plan) is empty
  StepCost cost(const ParallelPlan& p) {
    const Parts& parts = parts_of({p.tp, p.micro_batch, p.recompute});
    const std::int64_t layers = job_.model.layers;
    const std::int64_t most = (layers + p.pp - 1) / p.pp;
    const auto micro_batches = static_cast<double>(job_.batch / p.dp / p.micro_batch);
    const double scale = element_scale();

    const detail::PassTime block = parts.block_forward + parts.block_backward;
    const detail::PassTime ends = parts.ends_forward + parts.ends_backward;
    // The last stage, which has the output layer, is the one with a block less where they do not divide.
    const detail::PassTime full = static_cast<double>(most) * block;
    const detail::PassTime last =
        static_cast<double>(layers - (p.pp - 1) * most > 0 ? layers / p.pp : 1) * block + ends;
    const detail::PassTime slowest = last.total() > full.total() ? last : full;
    const double once = static_cast<double>(layers) * block.total() + ends.total();

    StepCost cost;
    cost.compute = micro_batches * slowest.compute;
    cost.tensor_comm = micro_batches * slowest.comm;
    cost.bubble = once - slowest.total();
    if (p.pp > 1) {
      // An activation and a gradient, of float as counted, to a neighbour for each micro-batch.
      const double each = detail::collective_time(
          cluster_, comm::Collective::send, static_cast<double>(parts.work.activation) * scale, 2,
          p.pp * p.tp > cluster_.ranks_per_node ? cluster_.ranks_per_node : p.tp);
      cost.pipeline_comm = 2 * micro_batches * each;
      cost.bubble += 2 * (p.pp - 1) * each;
    }
    finish(p, parts, static_cast<double>(most), micro_batches, cost);
    if (job_.overlap && p.zero < 3) {
      // The last micro-batch's backward hides all but the last block's gradients.
      const double hides = static_cast<double>(most) * (block.total() - parts.block_forward.total());
      cost.data_comm = std::max(cost.data_comm - hides, cost.data_comm / static_cast<double>(most + 1));
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
    double saved = 0;  ///< bytes that the tape keeps of a block
  };
  struct Key {
    int tp;
    std::int64_t micro_batch;
    Recompute recompute;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  double element_scale() const { return job_.element_bytes / 4.0; }

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
    if (job_.stored_scores) {
      const double n = static_cast<double>(key.micro_batch * (c.heads / key.tp) * c.context) *
                       static_cast<double>(c.context);
      const double head_dim = static_cast<double>(c.hidden) / static_cast<double>(c.heads);
      const double element = job_.element_bytes;
      const detail::PassTime forward = detail::stored_scores(cluster_, n, head_dim, false, element);
      parts.block_forward = parts.block_forward + forward;
      parts.block_backward = parts.block_backward + detail::stored_scores(cluster_, n, head_dim, true, element);
      if (key.recompute == Recompute::none) {
        parts.saved += n * (2 * element + 1);  // what softmax and dropout gave, and the mask
      } else {
        parts.block_backward = parts.block_backward + forward;
      }
    }
    return parts;
  }

  /// Gradients, update and memory of a stage with `blocks` blocks and the ends: the heaviest there is.
  void finish(const ParallelPlan& p, const Parts& parts, double blocks, double micro_batches, StepCost& cost) {
    const double scale = element_scale(), dp = p.dp, e = job_.element_bytes;
    const GptParts& w = parts.work;
    const double parameters =
        blocks * static_cast<double>(w.block_parameters) + static_cast<double>(w.ends_parameters);
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
    const double updated = p.zero > 0 ? parameters / dp : parameters;
    const auto count = static_cast<std::int64_t>(updated);
    cost.update = detail::launch_time(cluster_, {"tpx::adamw", {14 * count, 28 * count}}, 1) +
                  detail::launch_time(cluster_, {"tpx::clip_norm", {2 * count, 4 * count}}, 1);

    const double state = job_.element_bytes == 2 ? 12 : 8;
    const double held =
        parameters * (e / (p.zero >= 3 ? dp : 1) + e / (p.zero >= 2 ? dp : 1) + state / (p.zero >= 1 ? dp : 1));
    // What is not kept of a block is there again while backward is in it.
    const Parts& plain = parts_of({p.tp, p.micro_batch, Recompute::none});
    const double under_way = std::min<double>(p.pp, micro_batches);
    const double ends = static_cast<double>(w.ends_saved) * scale;
    const double first_stage = under_way * blocks * parts.saved + (p.pp == 1 ? ends : 0);
    const double last_stage = blocks * parts.saved + ends;
    const double gathered = p.zero == 3 ? 2 * e * static_cast<double>(w.block_parameters) : 0;
    cost.memory = held + std::max(first_stage, last_stage) + (plain.saved - parts.saved) + gathered +
                  static_cast<double>(plain.work.workspace) * scale;
  }

  TrainingJob job_;
  Cluster cluster_;
  std::map<Key, Parts> parts_;  // where they are does not change
};

}  // namespace tpx
