// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/optimizer.hpp>
#include <tpx/train/adamw.hpp>
#include <tpx/train/gradients.hpp>
#include <tpx/train/zero_parameters.hpp>

namespace tpx::detail {

/// The parameters of a model in buckets: consecutive ones whose gradients are Partial on the same axes. Of a
/// bucket each rank updates all, or its piece; gradients are reduced a bucket at a time.
template <class T, class Axis, class Mesh>
class TrainedBuckets {
 public:
  struct Slot {
    ParameterSlot slot;
    std::size_t bucket;
    std::int64_t offset;  ///< in the bucket
    Buffer gradient{};    ///< lent to the parameter: its place in the bucket
  };
  enum class Phase { fills, sums, summed };
  struct SlotRange {
    std::size_t first = 0, second = 0;  ///< of slots(): the first one and the one behind the last
  };
  struct Bucket {
    unsigned axes;  ///< on which the gradient arrives Partial
    std::int64_t count = 0;
    SlotRange slots{};
    bool alone = false;
    Piece mine{};              ///< what this rank updates
    Buffer gradient{};         ///< all of it; where it is split, from the first backward that adds to it on
    Buffer piece{};            ///< where it is split this rank's piece of the sum
    Buffer first{}, second{};  ///< the optimizer's state for `mine`
    std::size_t waits_for = 0;
    Phase phase = Phase::fills;
    Started<Mesh> sum{};
    TrainedBuckets* owner = nullptr;
  };

  /// @param zero      what the ranks along Axis split: 1 the optimizer's state, 2 gradients, 3 parameters too
  /// @param together  whether gradients are summed over Axis
  TrainedBuckets(const Mesh& mesh, int zero, bool together)
      : mesh_(mesh), zero_(zero), together_(together), values_(mesh) {}
  TrainedBuckets(const TrainedBuckets&) = delete;
  TrainedBuckets& operator=(const TrainedBuckets&) = delete;
  ~TrainedBuckets() {
    for (Slot& s : slots_) {
      if (s.gradient) s.gradient.block()->fetch = nullptr;
      s.slot.state->gradient.reset();
      s.slot.state->filled = s.slot.state->reduced = s.slot.state->gathered = false;
    }
  }

  const std::vector<Slot>& slots() const { return slots_; }
  std::vector<Bucket>& buckets() { return buckets_; }
  ZeroParameters<T, Axis, Mesh>& values() { return values_; }
  bool splits(const Bucket& bucket, int stage) const { return zero_ >= stage && (bucket.axes & axis_) != 0; }

  /// A parameter at the end of the last bucket, or the first one of a new bucket. A tied one is alone, so that
  /// its pieces are the same on the other rank that has it.
  void add(ParameterSlot slot, bool alone, bool starts) {
    for (const Slot& s : slots_)
      TPX_EXPECTS(s.slot.state->name != slot.state->name, slot.state->name,
                  "the parameters of a model have distinct names");
    TPX_EXPECTS(!slot.state->gathered, slot.state->name, "a parameter's gradient lies in one place at a time");
    if (starts || alone || buckets_.back().alone || buckets_.back().axes != slot.reduced_over)
      buckets_.push_back({slot.reduced_over, 0, {slots_.size(), slots_.size()}, alone});
    Bucket& bucket = buckets_.back();
    const std::int64_t offset = bucket.count;
    bucket.count += slot.count;
    bucket.slots.second += 1;
    slots_.push_back({std::move(slot), buckets_.size() - 1, offset});
  }

  /// Moves values into the buckets' memory: slots()[i].slot.value is where parameter i is from now on.
  void lay_out() {
    for (Bucket& bucket : buckets_) {
      const std::size_t number = values_.add_bucket(bucket.count);
      bucket.mine = splits(bucket, 1) ? values_.piece_of(bucket.count) : Piece{0, bucket.count};
      bucket.owner = this;
      for (std::size_t i = bucket.slots.first; i < bucket.slots.second; ++i) {
        ParameterSlot& slot = slots_[i].slot;
        slot.value = values_.add(number, slots_[i].offset, slot.value, slot.count);
        slot.state->gathered = true;
        Buffer& gradient = slots_[i].gradient;
        gradient = Buffer::borrow(nullptr, slot.count * std::int64_t{sizeof(T)}, nullptr);
        gradient.block()->owner = &bucket;
        gradient.block()->fetch = [](Block* block) {
          auto* const of = static_cast<Bucket*>(block->owner);
          of->owner->bring(*of);
        };
        slot.state->gradient = gradient;
      }
      if (!splits(bucket, 2)) bring(bucket);
      if (splits(bucket, 3)) values_.split(number);
    }
  }

  /// What was started and not waited for is waited for, and forgotten.
  /// @param share  of the batch's samples, this rank's
  void reset(double share) {
    share_ = share;
    for (Bucket& bucket : buckets_) {
      finish(bucket);
      bucket.waits_for = bucket.slots.second - bucket.slots.first;
      bucket.phase = Phase::fills;
      bucket.piece.reset();
      if (splits(bucket, 2)) send_away(bucket);
    }
    for (Slot& s : slots_) s.slot.state->filled = s.slot.state->reduced = false;
  }

  /// A parameter's gradient is final: its bucket's turn may have come.
  void is_final(const ParameterState& state) {
    for (Bucket& bucket : buckets_) bucket.sum.test();
    for (Bucket& bucket : buckets_)
      for (std::size_t i = bucket.slots.first; i < bucket.slots.second; ++i)
        if (slots_[i].slot.state.get() == &state && --bucket.waits_for == 0) begin(bucket);
  }

  /// Starts the sum of a bucket's gradients over the axes where they are Partial. Where they are split another
  /// one that is under way is waited for first: of those buckets the memory is held until then.
  /// @comm all_reduce; or reduce_scatter over Axis
  void begin(Bucket& bucket) {
    if (bucket.phase != Phase::fills) return;
    if (splits(bucket, 2))
      for (Bucket& other : buckets_)
        if (splits(other, 2)) finish(other);
    bring(bucket);
    for (std::size_t i = bucket.slots.first; i < bucket.slots.second; ++i) complete(slots_[i]);
    bucket.phase = Phase::sums;
    if (!splits(bucket, 2)) {
      const unsigned over = together_ ? bucket.axes : bucket.axes & ~axis_;
      if (over != 0 && mesh_.grid().ranks(over) > 1)
        bucket.sum = Started<Mesh>::template all_reduce<T>(mesh_, over, bucket.gradient, bucket.count);
    } else if (mesh_.grid().ranks(axis_) == 1) {
      bucket.piece = bucket.gradient;
    } else {
      bucket.piece = allocate<T>(mesh_, bucket.mine.extent);
      bucket.sum = Started<Mesh>::template reduce_scatter<T>(mesh_, axis_, bucket.gradient, bucket.piece,
                                                             values_.pieces_of(bucket.count));
    }
  }

  /// Waits for it.
  /// @comm all_reduce of a split bucket's piece over the other axes where it is Partial
  void finish(Bucket& bucket) {
    if (bucket.phase != Phase::sums) return;
    bucket.sum.wait();
    bucket.phase = Phase::summed;
    if (splits(bucket, 2)) {
      send_away(bucket);
      T* const data = bucket.piece.template as<T>();
      const unsigned rest = bucket.axes & ~axis_;
      if (rest != 0 && mesh_.grid().ranks(rest) > 1)
        all_reduce(mesh_, rest, static_cast<const T*>(data), data, bucket.mine.extent);
    }
    // A loss is a sum over the global count: by itself a rank has its share of its own mean.
    if (!together_ && share_ > 0) scale(bucket.gradient.template as<T>(), bucket.count, 1 / share_);
  }

  /// The part of a parameter, in its own elements, that this rank updates.
  Piece mine_of(const Slot& s) const {
    const Piece& mine = buckets_[s.bucket].mine;
    const std::int64_t first = std::max(mine.offset, s.offset);
    const std::int64_t last = std::max(first, std::min(mine.offset + mine.extent, s.offset + s.slot.count));
    return {std::min(first, s.offset + s.slot.count) - s.offset, last - first};
  }

  /// Where that part's gradient, value and state are.
  /// @pre mine_of(s) is not empty
  T* gradient_of(const Slot& s) const {
    const Bucket& bucket = buckets_[s.bucket];
    return splits(bucket, 2) ? plus(bucket.piece.template as<T>(), place(s))
                             : plus(bucket.gradient.template as<T>(), place(s) + bucket.mine.offset);
  }
  T* value_of(const Slot& s) const {
    return plus(splits(buckets_[s.bucket], 1) ? values_.piece(s.bucket) : values_.whole(s.bucket), place(s));
  }
  T* first_of(const Slot& s) { return plus(state(s).first.template as<T>(), place(s)); }
  T* second_of(const Slot& s) { return plus(state(s).second.template as<T>(), place(s)); }

  /// The ranks' parameters become their mean.
  /// @comm an all_reduce over Axis of each bucket
  void average() {
    const int ranks = mesh_.grid().ranks(axis_);
    for (std::size_t b = 0; b < buckets_.size() && ranks > 1; ++b) {
      T* const data = values_.whole(b);
      all_reduce(mesh_, axis_, static_cast<const T*>(data), data, buckets_[b].count);
      scale(data, buckets_[b].count, 1.0 / ranks);
    }
  }

  /// Every rank gets the values that others have updated, or will when it uses them.
  /// @comm an all_gather over Axis of each bucket, where state or gradients are split and parameters are not
  void spread() {
    for (std::size_t b = 0; b < buckets_.size(); ++b)
      if (splits(buckets_[b], 1) && !splits(buckets_[b], 3)) values_.gather(b);
    values_.values_changed();
  }

 private:
  static constexpr unsigned axis_ = mask_of<over<Axis>, typename Mesh::axes>;
  static T* plus(T* base, std::int64_t offset) { return Mesh::context_type::has_memory ? base + offset : base; }

  /// Of mine_of(s) in the bucket's piece.
  std::int64_t place(const Slot& s) const {
    return s.offset + mine_of(s).offset - buckets_[s.bucket].mine.offset;
  }

  /// Takes memory for a bucket's gradients, where there is none, and tells the parameters.
  void bring(Bucket& bucket) {
    if (bucket.gradient) return;
    bucket.gradient = allocate<T>(mesh_, bucket.count);
    for (std::size_t i = bucket.slots.first; i < bucket.slots.second; ++i)
      slots_[i].gradient.block()->data = plus(bucket.gradient.template as<T>(), slots_[i].offset);
  }
  void send_away(Bucket& bucket) {
    bucket.gradient.reset();
    for (std::size_t i = bucket.slots.first; i < bucket.slots.second; ++i)
      slots_[i].gradient.block()->data = nullptr;
  }

  /// A parameter's gradient has all that is added to it here; zeros where no backward reached it.
  void complete(const Slot& s) {
    ParameterState& state = *s.slot.state;
    TPX_EXPECTS(!state.reduced, state.name, "gradients are reduced once; reset() comes before the next");
    const std::int64_t count = s.slot.count;
    if (!state.filled)
      mesh_.context().launch({0, count * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::fill(exec, state.gradient.template as<T>(), count, T(0));
      });
    state.filled = state.reduced = true;
  }

  Bucket& state(const Slot& s) {
    Bucket& bucket = buckets_[s.bucket];
    if (!bucket.first) {
      bucket.first = zero_buffer<T>(mesh_, bucket.mine.extent);
      bucket.second = zero_buffer<T>(mesh_, bucket.mine.extent);
    }
    return bucket;
  }

  void scale(T* data, std::int64_t count, double factor) {
    mesh_.context().launch({count, 2 * count * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::scale_in_place(exec, data, count, static_cast<T>(factor));
    });
  }

  Mesh mesh_;
  int zero_;
  bool together_;
  double share_ = 1;
  ZeroParameters<T, Axis, Mesh> values_;
  std::vector<Slot> slots_;
  std::vector<Bucket> buckets_;
};

}  // namespace tpx::detail
