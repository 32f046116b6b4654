// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include <tpx/tensor/dtensor.hpp>
#include <tpx/tensor/started.hpp>

namespace tpx::detail {

/// The values of a model's parameters, moved into flat buckets, so that a bucket goes over the ranks along an
/// axis in one piece. Whole, every rank has all values; split, each has its piece of every bucket, and a bucket
/// is gathered when one of its parameters is used.
///
///   bucket  [n]{R:Axis}, or split  [n@Axis] Balanced
///
/// Of split ones the two used last are there, and the one that was used next in the step before: an op may use
/// parameters of two buckets. The gathering of that next one is started when the one before it is used, and
/// waited for when it is used itself. What a tape saves of a parameter is where its value lies, not the value.
///
/// @comm   a split bucket, each time it is used after two others: all_gather of n elements over Axis
template <class T, class Axis, class Mesh>
class ZeroParameters {
 public:
  explicit ZeroParameters(const Mesh& mesh) : mesh_(mesh) {}
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

  std::size_t add_bucket(std::int64_t count) {
    buckets_.push_back({count, allocate<T>(mesh_, count), {}, {}});
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
  /// This rank's piece of so many elements.
  Piece piece_of(std::int64_t count) const {
    constexpr int axis = index_of<Axis, typename Mesh::axes>;
    return cut(Partition::balanced, count, ranks(), mesh_.grid().coordinate[axis]);
  }
  /// Elements of each rank's piece.
  std::vector<std::int64_t> pieces_of(std::int64_t count) const {
    std::vector<std::int64_t> extents;
    for (int k = 0; k < ranks(); ++k) extents.push_back(cut(Partition::balanced, count, ranks(), k).extent);
    return extents;
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

  /// Every rank gets the values that the others have in their pieces of a bucket that is not split. What is
  /// sent lies apart from what is received: beside the bucket a piece of memory is needed.
  /// @comm all_gather of the bucket's elements over Axis
  void gather(std::size_t number) {
    if (ranks() == 1) return;
    const Bucket& bucket = buckets_[number];
    const Piece mine = piece_of(bucket.count);
    const Buffer sent = allocate<T>(mesh_, mine.extent);
    copy_elements(mesh_, static_cast<const T*>(at(bucket.whole, mine.offset)), sent.as<T>(), mine.extent);
    Gathering::template all_gather<T>(mesh_, axis_, sent, bucket.whole, pieces_of(bucket.count)).wait();
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
  using Gathering = Started<Mesh>;
  struct Bucket {
    std::int64_t count;
    Buffer whole, split;
    Gathering gathering;  // of the whole, where it was started
  };

  static constexpr unsigned axis_ = mask_of<over<Axis>, typename Mesh::axes>;
  int ranks() const { return mesh_.grid().ranks(axis_); }

  static T* at(const Buffer& buffer, std::int64_t offset) {
    T* const base = buffer.as<T>();
    return Mesh::context_type::has_memory ? base + offset : base;
  }

  void send_away(std::size_t number) {
    buckets_[number].gathering.wait();
    buckets_[number].whole.reset();
    place(number, true);
  }

  /// @comm all_gather of the bucket's elements over Axis
  void start(std::size_t number) {
    Bucket& bucket = buckets_[number];
    if (bucket.whole) return;
    bucket.whole = ranks() == 1 ? bucket.split : allocate<T>(mesh_, bucket.count);
    if (ranks() > 1)
      bucket.gathering =
          Gathering::template all_gather<T>(mesh_, axis_, bucket.split, bucket.whole, pieces_of(bucket.count));
  }

  /// Tells a split bucket's parameters where their values are.
  void place(std::size_t number, bool away) {
    for (Part& part : parts_) {
      if (part.bucket != number) continue;
      part.memory.block()->data = away ? nullptr : at(buckets_[number].whole, part.offset);
      part.memory.block()->away = away;
    }
  }

  void use(std::size_t number) {
    if (!uses_.empty() && uses_.back() == number) {
      for (Bucket& bucket : buckets_) bucket.gathering.test();
      return;
    }
    const std::size_t step = uses_.size();
    follows_ = step < before_.size() && before_[step] == number && (step == 0 || follows_);
    const auto previous = step > 0 ? uses_[step - 1] : number;
    const auto next = follows_ && step + 1 < before_.size() ? before_[step + 1] : number;
    uses_.push_back(number);
    for (std::size_t b = 0; b < buckets_.size(); ++b)
      if (buckets_[b].split && buckets_[b].whole && b != number && b != previous && b != next) send_away(b);
    start(number);
    buckets_[number].gathering.wait();
    place(number, false);
    start(next);
  }

  Mesh mesh_;
  std::vector<Bucket> buckets_;
  std::deque<Part> parts_;                  // where they are does not change: blocks point to them
  std::vector<std::size_t> uses_, before_;  // buckets in the order of this step and of the one before
  bool follows_ = false;
};

}  // namespace tpx::detail
