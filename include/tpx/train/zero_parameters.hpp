// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include <tpx/ops/redistribute.hpp>

namespace tpx::detail {

/// The values of a model's parameters, moved into flat buckets, so that a bucket goes over the ranks along an
/// axis in one piece. Whole, every rank has all values; split, each has its piece of every bucket, and a bucket
/// is gathered when one of its parameters is used.
///
///   bucket  [n]{R:Axis}, or split  [n@Axis] Balanced
///
/// Of split ones the two used last are there, and the one that was used next in the step before: an op may use
/// parameters of two buckets. What a tape saves of a parameter is where its value lies, not the value.
///
/// @comm   a split bucket, each time it is used after two others: all_gather of n elements over Axis
template <class T, class Axis, class Mesh>
class ZeroParameters {
  using AxisMesh = decltype(std::declval<const Mesh&>().template submesh<Axis>());
  using Whole = DTensor<T, 1, layout_t<Replicate<Axis>>, AxisMesh>;
  using Split = DTensor<T, 1, layout_t<Shard<0, Balanced, Axis>>, AxisMesh>;

 public:
  explicit ZeroParameters(const Mesh& mesh) : mesh_(mesh), axis_mesh_(mesh.template submesh<Axis>()) {}
  ZeroParameters(const ZeroParameters&) = delete;
  ZeroParameters& operator=(const ZeroParameters&) = delete;
  /// Whole parameters keep their values; split ones are away for good.
  ~ZeroParameters() {
    for (Part& part : parts_) {
      Block* const block = part.memory.block();
      block->fetch = nullptr;
      block->lender = std::make_shared<Buffer>(buckets_[part.bucket].whole);
    }
  }

  const AxisMesh& axis_mesh() const { return axis_mesh_; }

  std::size_t add_bucket(std::int64_t count) {
    buckets_.push_back({count, allocate<T>(mesh_, count), {}});
    return buckets_.size() - 1;
  }

  /// Copies a value into a bucket; what it gives is to be the parameter's memory from now on.
  Buffer add(std::size_t number, std::int64_t offset, const Buffer& value, std::int64_t count) {
    T* const to = at(buckets_[number].whole, offset);
    copy_elements(mesh_, static_cast<const T*>(value.as<T>()), to, count);
    Part& part = parts_.emplace_back(
        Part{this, number, offset, Buffer::borrow(to, count * std::int64_t{sizeof(T)}, nullptr)});
    part.memory.block()->owner = &part;
    return part.memory;
  }

  /// All values of a bucket that is not split.
  T* whole(std::size_t number) const { return buckets_[number].whole.template as<T>(); }
  /// This rank's piece of a bucket, where an optimizer writes.
  T* piece(std::size_t number) const {
    const Bucket& bucket = buckets_[number];
    return bucket.split ? bucket.split.template as<T>() : at(bucket.whole, piece_of(bucket.count).offset);
  }
  Piece piece_of(std::int64_t count) const {
    return Distribution(Shape{count}, Split::spec, axis_mesh_.grid()).piece(0);
  }

  /// Splits a bucket for good.
  void split(std::size_t number) {
    Bucket& bucket = buckets_[number];
    const Piece mine = piece_of(bucket.count);
    bucket.split = allocate<T>(mesh_, mine.extent);
    copy_elements(mesh_, static_cast<const T*>(at(bucket.whole, mine.offset)), bucket.split.template as<T>(),
                  mine.extent);
    for (Part& part : parts_) {
      if (part.bucket != number) continue;
      part.memory.block()->fetch = [](Block* block) {
        const auto* used = static_cast<const Part*>(block->owner);
        used->owner->use(used->bucket);
      };
    }
    send_away(number);
  }

  /// Makes whole again what the pieces on all ranks are now.
  /// @comm all_gather of the bucket's elements over Axis
  void gather(std::size_t number) {
    Bucket& bucket = buckets_[number];
    if (!bucket.split && axis_mesh_.size() == 1) return;
    const Piece mine = piece_of(bucket.count);
    // Of a whole bucket the piece is a part: the old memory lives until the new one is there.
    const Buffer old = bucket.whole;
    const Buffer shard =
        bucket.split ? bucket.split
                     : Buffer::borrow(at(old, mine.offset), mine.extent * std::int64_t{sizeof(T)}, nullptr);
    const Split split(axis_mesh_, Shape{bucket.count}, shard);
    bucket.whole = redistribute<Replicate<Axis>>(split).shard();
    for (Part& part : parts_) {
      if (part.bucket != number) continue;
      part.memory.block()->data = at(bucket.whole, part.offset);
      part.memory.block()->away = false;
    }
  }

  /// The pieces have new values: no bucket is what it was, and a new step begins.
  void values_changed() {
    for (std::size_t b = 0; b < buckets_.size(); ++b)
      if (buckets_[b].split) send_away(b);
    before_ = std::exchange(uses_, {});
  }

 private:
  struct Part {  // of a bucket: one parameter
    ZeroParameters* owner;
    std::size_t bucket;
    std::int64_t offset;
    Buffer memory;
  };
  struct Bucket {
    std::int64_t count;
    Buffer whole, split;
  };

  static T* at(const Buffer& buffer, std::int64_t offset) {
    T* const base = buffer.as<T>();
    return Mesh::context_type::has_memory ? base + offset : base;
  }

  void send_away(std::size_t number) {
    buckets_[number].whole.reset();
    for (Part& part : parts_) {
      if (part.bucket != number) continue;
      part.memory.block()->data = nullptr;
      part.memory.block()->away = true;
    }
  }

  void use(std::size_t number) {
    if (!uses_.empty() && uses_.back() == number) return;
    const std::size_t step = uses_.size();
    follows_ = step < before_.size() && before_[step] == number && (step == 0 || follows_);
    const auto previous = step > 0 ? uses_[step - 1] : number;
    const auto next = follows_ && step + 1 < before_.size() ? before_[step + 1] : number;
    uses_.push_back(number);
    for (std::size_t b = 0; b < buckets_.size(); ++b)
      if (buckets_[b].split && buckets_[b].whole && b != number && b != previous && b != next) send_away(b);
    for (const std::size_t b : {number, next})
      if (buckets_[b].split && !buckets_[b].whole) gather(b);
  }

  Mesh mesh_;
  AxisMesh axis_mesh_;
  std::vector<Bucket> buckets_;
  std::deque<Part> parts_;                  // where they are does not change: blocks point to them
  std::vector<std::size_t> uses_, before_;  // buckets in the order of this step and of the one before
  bool follows_ = false;
};

}  // namespace tpx::detail
