// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tpx/comm/combine.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/shared_memory_heap.hpp>
#include <tpx/comm/shared_memory_reduce.hpp>
#include <tpx/comm/shared_memory_window.hpp>

/// Collectives whose buffers lie in the heap that the ranks share: they are read, and summed, where they are.
///
/// The first meeting tells every rank where the buffers of all are; after the last one nobody reads them any
/// more. Each returns whether the buffers lie in the heap, the same on every rank; where they do not, nothing
/// was done but the first meeting.
namespace tpx::comm::detail::in_place {

using Terms = std::span<const void* const>;

// An all-reduce of more sums slices and so moves 2n a rank, which writes into the buffers of the others; of
// less every rank reads everything. Which is faster about here depends on the processor.
inline constexpr std::int64_t pulled_bytes = 64 * 1024;
// Up to so many ranks reading everything is worth it where the sums cannot be put into the others' buffers.
inline constexpr int pulled_ranks = 4;

/// What every rank shows of its buffers in one meeting.
class Shown {
 public:
  Shown(SharedWindow& w, const GroupHeap& heap, const Call& call, SharedOffsets mine)
      : heap_(heap), ranks_(w.ranks()) {
    w.meet(call, mine);
    for (int rank = 0; rank < ranks_; ++rank) offsets_[static_cast<std::size_t>(rank)] = w.offsets(rank);
  }

  bool all_send() const {
    return every([](const SharedOffsets& o) { return o.send >= 0; });
  }
  bool all_recv() const {
    return every([](const SharedOffsets& o) { return o.recv >= 0; });
  }
  bool none_overwrites() const {
    return every([](const SharedOffsets& o) { return o.send != o.recv; });
  }

  const void* send(int rank) const { return heap_.at(rank, of(rank).send); }
  void* recv(int rank) const { return heap_.at(rank, of(rank).recv); }
  /// Where each rank's result goes.
  std::span<void* const> outs() {
    for (int rank = 0; rank < ranks_; ++rank) outs_[static_cast<std::size_t>(rank)] = recv(rank);
    return {outs_.data(), static_cast<std::size_t>(ranks_)};
  }
  bool has_send(int rank) const { return of(rank).send >= 0; }

  /// Where each rank's buffer has element `at`.
  Terms terms(std::int64_t at, Element element) {
    for (int rank = 0; rank < ranks_; ++rank)
      terms_[static_cast<std::size_t>(rank)] = advance(send(rank), at, element);
    return {terms_.data(), static_cast<std::size_t>(ranks_)};
  }

 private:
  const SharedOffsets& of(int rank) const { return offsets_[static_cast<std::size_t>(rank)]; }
  template <class F>
  bool every(F f) const {
    return std::all_of(offsets_.begin(), offsets_.begin() + ranks_, f);
  }

  const GroupHeap& heap_;
  int ranks_;
  // Of each as many as there are ranks are set and used.
  std::array<SharedOffsets, SharedWindow::max_ranks> offsets_;
  std::array<const void*, SharedWindow::max_ranks> terms_;
  std::array<void*, SharedWindow::max_ranks> outs_;
};

/// What a rank shows that only sends.
inline SharedOffsets only_send(const GroupHeap& heap, const void* send, std::int64_t count, Element element) {
  return {heap.offset_of(send, count * element_size(element)), -1};
}

/// f(terms) where all have met, terms[k] being the buffer of rank k.
template <class F>
bool read(SharedWindow& w, const GroupHeap& heap, const Call& call, const void* send, std::int64_t count,
          F&& f) {
  Shown shown(w, heap, call, only_send(heap, send, count, call.element));
  if (!shown.all_send()) return false;
  f(shown.terms(0, call.element));
  w.meet(call);
  return true;
}

inline bool all_gather(SharedWindow& w, const GroupHeap& heap, const Call& call, const void* send, void* recv,
                       const Blocks& blocks) {
  return read(w, heap, call, send, blocks.size(w.rank()), [&](Terms terms) {
    for (int k = 0; k < w.ranks(); ++k) {  // each begins with its own, so that not all read one rank's
      const int from = (w.rank() + k) % w.ranks();
      copy(advance(recv, blocks.start(from), call.element), terms[static_cast<std::size_t>(from)],
           blocks.size(from), call.element);
    }
  });
}

inline bool reduce_scatter(SharedWindow& w, const GroupHeap& heap, const Call& call, const void* send,
                           void* recv, const Blocks& blocks) {
  const Element element = call.element;
  const std::int64_t n = blocks.size(w.rank());
  const std::int64_t start = blocks.start(w.rank());
  Shown shown(w, heap, call,
              only_send(heap, send, blocks.start(w.ranks() - 1) + blocks.size(w.ranks() - 1), element));
  if (!shown.all_send()) return false;
  combine_terms(recv, shown.terms(start, element), n, element, call.reduction);
  w.meet(call);
  return true;
}

/// @param starts  where the block for this rank starts in the buffer of each
inline bool all_to_all(SharedWindow& w, const GroupHeap& heap, const Call& call, const void* send,
                       std::int64_t sent, void* recv, const Blocks& in, std::span<const std::int64_t> starts) {
  return read(w, heap, call, send, sent, [&](Terms terms) {
    for (int k = 0; k < w.ranks(); ++k) {
      const int from = (w.rank() + k) % w.ranks();
      const std::size_t f = static_cast<std::size_t>(from);
      copy(advance(recv, in.start(from), call.element), advance(terms[f], starts[f], call.element),
           in.size(from), call.element);
    }
  });
}

/// Only the root's buffer matters.
inline bool broadcast(SharedWindow& w, const GroupHeap& heap, const Call& call, void* buffer) {
  const Shown shown(w, heap, call, only_send(heap, buffer, call.count, call.element));
  if (!shown.has_send(call.root)) return false;
  if (w.rank() != call.root) copy(buffer, shown.send(call.root), call.count, call.element);
  w.meet(call);
  return true;
}

/// Every rank sums a slice of all buffers and puts the sum into all of them.
inline void reduce_slices(const SharedWindow& w, const Call& call, Shown& shown) {
  const std::int64_t line = static_cast<std::int64_t>(shared_line) / element_size(call.element);
  const std::int64_t each = ((call.count + w.ranks() - 1) / w.ranks() + line - 1) / line * line;
  const std::int64_t begin = std::min(call.count, w.rank() * each);
  combine_into_all(shown.outs(), static_cast<std::size_t>(w.rank()), shown.terms(0, call.element), begin,
                   std::min(call.count, begin + each), call.element, call.reduction);
}

/// How an all-reduce goes whose buffers all ranks have shown: each rank sums a slice and puts it everywhere, or
/// all of it for itself.
enum class Way { none, slices, pulled };

inline Way way_of(const SharedWindow& w, const Shown& shown, std::int64_t bytes) {
  if (!shown.all_send()) return Way::none;
  const bool may_pull = shown.none_overwrites();
  if (shown.all_recv() && (bytes > pulled_bytes || !may_pull)) return Way::slices;
  return may_pull && (bytes <= pulled_bytes || w.ranks() <= pulled_ranks) ? Way::pulled : Way::none;
}

inline bool all_reduce(SharedWindow& w, const GroupHeap& heap, const Call& call, const void* send, void* recv) {
  const std::int64_t bytes = call.count * element_size(call.element);
  Shown shown(w, heap, call, {heap.offset_of(send, bytes), heap.offset_of(recv, bytes)});
  const Way way = way_of(w, shown, bytes);
  if (way == Way::none) return false;
  if (way == Way::slices) {
    reduce_slices(w, call, shown);
  } else {
    combine_terms(recv, shown.terms(0, call.element), call.count, call.element, call.reduction);
  }
  w.meet(call);
  return true;
}

/// f(terms, results), which sums as all_reduce does: the buffers of all ranks, or recv alone.
template <class F>
bool sum(SharedWindow& w, const GroupHeap& heap, const Call& call, const void* send, void* recv, F&& f) {
  const std::int64_t bytes = call.count * element_size(call.element);
  Shown shown(w, heap, call, {heap.offset_of(send, bytes), heap.offset_of(recv, bytes)});
  const Way way = way_of(w, shown, bytes);
  if (way == Way::none) return false;
  f(shown.terms(0, call.element), way == Way::slices ? shown.outs() : std::span<void* const>(&recv, 1));
  w.meet(call);
  return true;
}

}  // namespace tpx::comm::detail::in_place
