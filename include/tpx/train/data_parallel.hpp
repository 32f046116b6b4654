// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tpx/kernel/optimizer.hpp>
#include <tpx/train/adamw.hpp>
#include <tpx/train/bucket_cuts.hpp>
#include <tpx/train/clip.hpp>
#include <tpx/train/data_parallel_buckets.hpp>
#include <tpx/train/pipeline_gradients.hpp>

namespace tpx {

/// How ranks with other data share the work of training.
struct DataParallelOptions {
  int zero = 0;  ///< what they split: 1 the optimizer's state, 2 gradients too, 3 parameters too
  /// Gradients are reduced, and with zero = 3 parameters gathered, in buckets of at most this, or of one
  /// parameter; 0: of a layer, or as many as are a sixteenth of the model, and 25 MiB at most.
  std::int64_t bucket_bytes = 0;
  int sync_every = 1;  ///< more: gradients stay apart, and parameters are averaged every so many steps
  AdamWOptions adamw{};
};

/// Trains a model whose batch is split over an axis: gradients are summed over it once a step, in buckets, and
/// AdamW updates the parameters. The sum of a bucket is started while backward still runs, as soon as its last
/// gradient is final, and waited for in reduce(); a communicator without nonblocking calls (comm::Nonblocking:
/// all but Mpi and Nodes) carries it out when it is started. What ranks hold of a bucket of n elements on Axis:
///
///   zero   gradient        optimizer's state   parameter       a step communicates, of n elements
///   0      P -> R          R                   R               all_reduce
///   1      P -> R          S                   R               all_reduce, all_gather
///   2      P -> S          S                   R               reduce_scatter, all_gather
///   3      P -> S          S                   S               reduce_scatter, all_gather at each use
///
/// S is Shard<0, Balanced, Axis> of the bucket as one flat dim, whatever the parameters' extents.
///
/// Beside that, of p ranks' n elements, there are for a while: with zero = 1 and 2 a bucket's n/p, sent after
/// the update; with zero = 2 and 3 the whole gradients of the buckets that backward is in and of the one whose
/// sum is under way, and, where several micro-batches add up to a step, whose gradients are reduced once, whole
/// ones of all buckets from the first micro-batch to the last (stage 2 then needs as much memory as stage 1 at
/// its peak, and less between steps alone); with zero = 3 the parameters of the bucket in use, of the one
/// before, and of the one that is used next, whose gathering is started then and waited for when it is used.
///
///   DataParallel<dp, Model> data(model, {.zero = 2});
///   loop:  data.reset();  backward(loss, data.when_final());  data.reduce();
///          const auto clipped = data.template clip<over<dp, tp>>(1.0);  data.step(rate, clipped);
///
/// @tparam Axis   that splits the batch, and with it what `zero` says
/// @tparam Model  as for Gradients
/// @tparam More   other axes on which gradients are Partial
/// @see    arXiv:1910.02054
template <class Axis, class Model, class... More>
class DataParallel {
 public:
  using T = typename Model::element_type;
  using Mesh = typename Model::mesh_type;

  /// Moves the parameters' values into memory of its own; with zero = 3 ops gather them when they use them.
  ///
  /// @pre    the model outlives this, its parameters have distinct names, and their values are not shared
  /// @comm   none
  /// @throws tpx::Error naming the option or the parameter
  explicit DataParallel(Model& model, const DataParallelOptions& options = {})
      : model_(&model),
        mesh_(model.mesh()),
        options_(checked(options)),
        buckets_(mesh_, options.zero, together()) {
    std::vector<std::string> tied;
    if constexpr (requires { model.tied_with(); })
      model.visit_tied([&](auto& p) { tied.push_back(p.track().state->name); });
    detail::BucketCuts cuts;
    model.visit([&]<class P>(P& p) {
      constexpr unsigned shards = detail::axes_in(P::spec, Kind::shard);
      cuts.add(p.track().state->name, p.shape().count() / mesh_.grid().ranks(shards) * std::int64_t{sizeof(T)});
    });
    const std::vector<bool> starts = cuts.starts(options.bucket_bytes);
    model.visit([&]<class P>(P& p) {
      constexpr unsigned partial = detail::axes_in(P::spec, Kind::replicate);
      constexpr unsigned shards = detail::axes_in(P::spec, Kind::shard);
      constexpr unsigned all = (1u << Mesh::axes::size) - 1;
      if constexpr (names_axes_)
        detail::check_reduced<(partial & ~over_), typename Mesh::axes, over<Axis, More...>>();
      const bool is_tied = std::find(tied.begin(), tied.end(), p.track().state->name) != tied.end();
      buckets_.add({p.track().state, p.shard(), p.local_count(), partial, all & ~shards}, is_tied,
                   starts[buckets_.slots().size()]);
    });
    buckets_.lay_out();
    model.visit([&, next = std::size_t{0}]<class P>(P& p) mutable {
      p = P(p.mesh(), p.shape(), buckets_.slots()[next++].slot.value, p.track());
    });
    reset();
  }

  const DataParallelOptions& options() const { return options_; }
  std::int64_t steps() const { return steps_; }

  /// The next backward starts from zero.
  /// @param share  of the batch's samples, this rank's: where gradients stay apart they are those of the mean
  ///               over its own samples, of which a loss is the part that they are of the batch
  void reset(double share) { buckets_.reset(share); }
  /// All ranks along Axis have as many samples.
  void reset() { reset(1.0 / mesh_.grid().ranks(axis_)); }

  /// For the last backward of a step, or a Pipeline's run: starts the sum of each bucket as soon as the
  /// gradients of all its parameters are final.
  /// @pre  all ranks along Axis do the same backward
  /// @comm where a bucket's last gradient is final its all_reduce or reduce_scatter, see DataParallel
  std::function<void(ParameterState&)> when_final() {
    return [this](ParameterState& state) { buckets_.is_final(state); };
  }

  /// Buckets whose sum was started and is not waited for yet; with zero = 2 and 3 at most one.
  int under_way() {
    const auto& all = buckets_.buckets();
    return static_cast<int>(std::count_if(all.begin(), all.end(), [](const auto& b) { return b.sum.open(); }));
  }

  /// Starts the sums of the buckets that are left, all of them where no backward was told when_final(), and
  /// waits for all.
  /// @comm see DataParallel; each bucket once a step
  void reduce() {
    const detail::Region region("tpx::grad_reduce");
    for (auto& bucket : buckets_.buckets()) buckets_.begin(bucket);
    for (auto& bucket : buckets_.buckets()) buckets_.finish(bucket);
  }

  /// Adds the gradients of parameters that two pipeline ranks have both, as add_tied_gradients, after reduce().
  /// @comm   on those two ranks a send_recv of what each holds of the gradient
  template <class PipelineAxis, class Whole>
  void add_tied(const Whole& mesh) {
    const auto other = model_->tied_with();
    if (!other) return;
    model_->visit_tied([&](auto& p) {
      for (const auto& s : buckets_.slots())
        if (s.slot.state == p.track().state && buckets_.mine_of(s).extent > 0)
          detail::add_from_rank<PipelineAxis>(mesh, mesh_, buckets_.gradient_of(s), buckets_.mine_of(s).extent,
                                              *other);
    });
  }

  /// The norm of all gradients, as clip_grad_norm, and the factor that scales it to at most `largest`.
  /// @param  mesh  the model's, or a whole one with pipeline ranks on an axis more
  /// @comm   one all_reduce of 1 f64 over all axes in Over; with sync_every > 1 all but Axis
  template <class Over, class Whole>
  ClippedNorm<T, Mesh> clip(double largest, const Whole& mesh) {
    const unsigned mine = together() ? ~0u : ~axis_;
    const unsigned whole = together() ? ~0u : ~detail::mask_of<over<Axis>, typename Whole::axes>;
    std::vector<detail::NormPiece<T>> pieces;
    for (const auto& s : buckets_.slots()) {
      const std::int64_t count = buckets_.mine_of(s).extent;
      const bool split = buckets_.splits(buckets_.buckets()[s.bucket], 1);
      if (s.slot.state->counts && count > 0)
        pieces.push_back({buckets_.gradient_of(s), count, split ? s.slot.same_on & ~axis_ : s.slot.same_on});
    }
    return detail::clipped_norm<T>(pieces, mesh_, detail::norm_axes<Over, Whole>(*model_) & mine, mesh,
                                   detail::mask_of<Over, typename Whole::axes> & whole, largest);
  }
  template <class Over>
  ClippedNorm<T, Mesh> clip(double largest) {
    return clip<Over>(largest, mesh_);
  }

  /// Updates the parameters by their gradients, scaled where they were clipped.
  /// @pre    reduce() came since reset()
  /// @comm   zero 1 and 2: all_gather of each bucket; sync_every: all_reduce of each every so many steps
  void step(double learning_rate, const ClippedNorm<T, Mesh>& clipped) {
    update(learning_rate, clipped.factor());
  }
  void step(double learning_rate) { update(learning_rate, nullptr); }

  /// Where parameters are apart they become their mean, as for the model that comes out in the end.
  /// @comm sync_every > 1: an all_reduce of each bucket, unless the last step did it
  void average() {
    if (!together() && steps_ % options_.sync_every != 0) buckets_.average();
  }

  /// What this rank updates of a parameter: `count` elements of its shard, row-major, from `offset` on, and the
  /// optimizer's state for them; null pointers where there are none.
  struct State {
    std::shared_ptr<ParameterState> parameter;
    std::int64_t offset, count;
    T *value, *first, *second;
  };
  /// Of each parameter in the order of the model: to store them, or to overwrite them before set_steps().
  std::vector<State> states() {
    std::vector<State> all;
    for (const auto& s : buckets_.slots()) {
      const Piece mine = buckets_.mine_of(s);
      if (mine.extent == 0) {
        all.push_back({s.slot.state, mine.offset, 0, nullptr, nullptr, nullptr});
      } else {
        all.push_back({s.slot.state, mine.offset, mine.extent, buckets_.value_of(s), buckets_.first_of(s),
                       buckets_.second_of(s)});
      }
    }
    return all;
  }
  /// As if so many steps had been made: what states() pointed to has new values.
  /// @comm   zero 1 and 2: all_gather of each bucket
  void set_steps(std::int64_t steps) {
    steps_ = steps;
    buckets_.spread();
  }

 private:
  static constexpr bool names_axes_ = detail::check_over<over<Axis, More...>, typename Mesh::axes>();
  static constexpr unsigned axis_ = detail::mask_of<over<Axis>, typename Mesh::axes>;
  static constexpr unsigned over_ = detail::mask_of<over<Axis, More...>, typename Mesh::axes>;

  bool together() const { return options_.sync_every == 1; }

  static const DataParallelOptions& checked(const DataParallelOptions& o) {
    if (o.zero < 0 || o.zero > 3)
      fail("tpx::DataParallel: zero is 0, 1, 2 or 3; given was " + std::to_string(o.zero));
    if (o.bucket_bytes < 0)
      fail("tpx::DataParallel: bucket_bytes is not negative; given was " + std::to_string(o.bucket_bytes));
    if (o.sync_every < 1 || (o.sync_every > 1 && o.zero > 0))
      fail(
          "tpx::DataParallel: sync_every is at least 1, and more than 1 with zero = 0 only, where every rank "
          "has all parameters; given were sync_every = " +
          std::to_string(o.sync_every) + ", zero = " + std::to_string(o.zero));
    return o;
  }

  void update(double learning_rate, const T* factor) {
    const detail::Region region("tpx::adamw");
    kernel::AdamW p = detail::adamw_step(options_.adamw, learning_rate, steps_ + 1);
    for (const auto& s : buckets_.slots()) {
      TPX_EXPECTS(s.slot.state->reduced, s.slot.state->name, "reduce() comes before step()");
      const std::int64_t count = buckets_.mine_of(s).extent;
      if (count == 0) continue;
      p.weight_decay = s.slot.state->decays ? options_.adamw.weight_decay : 0;
      T* const first = buckets_.first_of(s);
      T* const second = buckets_.second_of(s);
      mesh_.context().launch({14 * count, 7 * count * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::adamw(exec, count, buckets_.value_of(s), static_cast<const T*>(buckets_.gradient_of(s)), first,
                      second, p, factor);
      });
    }
    ++steps_;
    if (!together() && steps_ % options_.sync_every == 0) buckets_.average();
    buckets_.spread();
  }

  Model* model_;
  Mesh mesh_;
  DataParallelOptions options_;
  detail::TrainedBuckets<T, Axis, Mesh> buckets_;
  std::int64_t steps_ = 0;
};

template <class Axis, class Model, class... More>
requires(!detail::Trained<Model>) class DataParallel<Axis, Model, More...>
    : public detail::trainer_refused<Model> {
  using detail::trainer_refused<Model>::trainer_refused;
};

}  // namespace tpx
