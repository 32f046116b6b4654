// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include <tpx/comm/combine.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/shared_memory_reduce.hpp>
#include <tpx/comm/shared_memory_window.hpp>
#include <tpx/core/error.hpp>

/// Collectives whose buffers lie anywhere: each rank copies what the others read into its slot, in chunks.
namespace tpx::comm::detail::slots {

using Terms = std::span<const void* const>;
using TermArray = std::array<const void*, SharedWindow::max_ranks>;

// Up to here one meeting and p readings of everything cost less than two meetings and 2 readings.
inline constexpr std::int64_t whole_bytes = 8 * 1024;

/// How many elements of each of `blocks` blocks fit in a slot.
inline std::int64_t chunk(Element element, int blocks = 1) {
  const std::int64_t line = static_cast<std::int64_t>(shared_line);
  return SharedWindow::slot_bytes / blocks / line * line / element_size(element);
}

/// f(at) for each chunk of at most `most`, on slots of its own; once where there is nothing, so that ranks
/// that do not agree about that meet too.
template <class F>
void for_each_chunk(SharedWindow& w, std::int64_t count, std::int64_t most, F f) {
  std::int64_t at = 0;
  do {
    f(at);
    w.next_slot();
    at += most;
  } while (at < count);
}

/// How much of a block is in the chunk that starts at `at`.
inline std::int64_t part(std::int64_t size, std::int64_t at, std::int64_t most) {
  return std::clamp<std::int64_t>(size - at, 0, most);
}

/// Where each rank's term starts: `mine`, and `offset` elements into the slots of the others.
inline Terms fill(const SharedWindow& w, TermArray& terms, std::int64_t offset, const void* mine,
                  Element element) {
  for (int from = 0; from < w.ranks(); ++from)
    terms[static_cast<std::size_t>(from)] =
        from == w.rank() ? mine : advance(static_cast<const void*>(w.slot(from)), offset, element);
  return {terms.data(), static_cast<std::size_t>(w.ranks())};
}

/// f(at, n, terms) for each chunk of n elements of the block of this rank; terms[k] is it as rank k sent it.
template <class F>
void for_each_block_chunk(SharedWindow& w, const Call& call, const void* send, const Blocks& out,
                          std::int64_t largest, F f) {
  const std::int64_t most = chunk(call.element, w.ranks());
  for_each_chunk(w, largest, most, [&](std::int64_t at) {
    char* const slot = w.slot(w.rank());
    for (int to = 0; to < w.ranks(); ++to)
      if (to != w.rank())
        copy(advance(slot, to * most, call.element), advance(send, out.start(to) + at, call.element),
             part(out.size(to), at, most), call.element);
    w.meet(call);
    TermArray terms;  // of which fill() sets and passes on as many as there are ranks
    f(at, most,
      fill(w, terms, w.rank() * most, advance(send, out.start(w.rank()) + at, call.element), call.element));
  });
}

inline void all_gather(SharedWindow& w, const Call& call, const void* send, void* recv, const Blocks& blocks) {
  const std::int64_t most = chunk(call.element);
  for_each_chunk(w, blocks.largest(), most, [&](std::int64_t at) {
    const void* const mine = advance(send, at, call.element);
    copy(w.slot(w.rank()), mine, part(blocks.size(w.rank()), at, most), call.element);
    w.meet(call);
    for (int from = 0; from < w.ranks(); ++from)
      copy(advance(recv, blocks.start(from) + at, call.element), from == w.rank() ? mine : w.slot(from),
           part(blocks.size(from), at, most), call.element);
  });
}

inline void reduce_scatter(SharedWindow& w, const Call& call, const void* send, void* recv,
                           const Blocks& blocks) {
  for_each_block_chunk(w, call, send, blocks, blocks.largest(),
                       [&](std::int64_t at, std::int64_t most, Terms terms) {
                         combine_terms(advance(recv, at, call.element), terms,
                                       part(blocks.size(w.rank()), at, most), call.element, call.reduction);
                       });
}

/// @param largest  of all blocks that any rank sends
inline void all_to_all(SharedWindow& w, const Call& call, const void* send, const Blocks& out, void* recv,
                       const Blocks& in, std::int64_t largest) {
  for_each_block_chunk(w, call, send, out, largest, [&](std::int64_t at, std::int64_t most, Terms terms) {
    for (int from = 0; from < w.ranks(); ++from)
      copy(advance(recv, in.start(from) + at, call.element), terms[static_cast<std::size_t>(from)],
           part(in.size(from), at, most), call.element);
  });
}

/// What a rank knows of an uneven all_to_all from the counts of all ranks.
struct Exchange {
  std::int64_t largest = 0;                                    ///< of all blocks
  std::array<std::int64_t, SharedWindow::max_ranks> starts{};  ///< of the block for this rank, on each rank
};

/// Before an uneven all_to_all: every rank shows its counts.
///
/// @throws tpx::Error on every rank where two ranks expect different sizes of the block between them
inline Exchange agree_on_blocks(SharedWindow& w, const Call& call, const Blocks& out, const Blocks& in) {
  const int p = w.ranks();
  const auto counts = [&](int rank) { return reinterpret_cast<std::int64_t*>(w.slot(rank)); };
  std::int64_t* const mine = counts(w.rank());
  for (int other = 0; other < p; ++other) {
    mine[other] = out.size(other);
    mine[p + other] = in.size(other);
  }
  w.meet(call);
  Exchange found;
  std::string wrong;
  for (int from = 0; from < p; ++from)
    for (int to = 0; to < p; ++to) {
      const std::int64_t sent = counts(from)[to];
      found.largest = std::max(found.largest, sent);
      if (to < w.rank()) found.starts[static_cast<std::size_t>(from)] += sent;
      if (wrong.empty()) wrong = exchange_error(from, to, sent, counts(to)[p + from]);
    }
  w.next_slot();
  if (!wrong.empty()) fail(wrong);
  return found;
}

inline void broadcast(SharedWindow& w, const Call& call, void* buffer) {
  const std::int64_t most = chunk(call.element);
  for_each_chunk(w, call.count, most, [&](std::int64_t at) {
    void* const here = advance(buffer, at, call.element);
    const std::int64_t n = part(call.count, at, most);
    if (w.rank() == call.root) copy(w.slot(call.root), here, n, call.element);
    w.meet(call);
    if (w.rank() != call.root) copy(here, w.slot(call.root), n, call.element);
  });
}

/// Every rank sums everything: one meeting.
inline void reduce_whole(SharedWindow& w, const Call& call, const void* send, void* recv) {
  copy(w.slot(w.rank()), send, call.count, call.element);
  w.meet(call);
  TermArray terms;  // of which fill() sets and passes on as many as there are ranks
  const Terms all = fill(w, terms, 0, send, call.element);
  w.next_slot();
  // The next one is often as long: by then its lines are here again, which the others have read.
  for (std::int64_t b = 0; b < call.count * element_size(call.element); b += 64)
    __builtin_prefetch(w.slot(w.rank()) + b, 1);
  combine_terms(recv, all, call.count, call.element, call.reduction);
}

/// Every rank sums a slice, and takes the other sums: the memory moves what it must.
inline void reduce_slices(SharedWindow& w, const Call& call, const void* send, void* recv) {
  const Element element = call.element;
  const std::int64_t line = static_cast<std::int64_t>(shared_line) / element_size(element);
  const std::int64_t most = chunk(element);
  for_each_chunk(w, call.count, most, [&](std::int64_t at) {
    const std::int64_t n = part(call.count, at, most);
    const std::int64_t each = ((n + w.ranks() - 1) / w.ranks() + line - 1) / line * line;
    const auto begin = [&](int rank) { return std::min(n, rank * each); };
    const std::int64_t my_begin = begin(w.rank());
    const std::int64_t my_end = begin(w.rank() + 1);
    char* const slot = w.slot(w.rank());
    copy(slot, advance(send, at, element), my_begin, element);
    copy(advance(slot, my_end, element), advance(send, at + my_end, element), n - my_end, element);
    w.meet(call);
    // In pieces that are still in the nearest cache when the sum is copied.
    const std::int64_t piece = 64 * line;
    for (std::int64_t i = my_begin; i < my_end; i += piece) {
      const std::int64_t m = std::min(piece, my_end - i);
      TermArray terms;  // of which fill() sets and passes on as many as there are ranks
      void* const sum = advance(recv, at + i, element);
      combine_terms(sum, fill(w, terms, i, advance(send, at + i, element), element), m, element,
                    call.reduction);
      copy(advance(slot, i, element), sum, m, element);
    }
    w.meet(call);
    for (int from = 0; from < w.ranks(); ++from)
      if (from != w.rank())
        copy(advance(recv, at + begin(from), element), advance(w.slot(from), begin(from), element),
             begin(from + 1) - begin(from), element);
  });
}

inline void all_reduce(SharedWindow& w, const Call& call, const void* send, void* recv) {
  if (call.count * element_size(call.element) <= whole_bytes) {
    reduce_whole(w, call, send, recv);
  } else {
    reduce_slices(w, call, send, recv);
  }
}

}  // namespace tpx::comm::detail::slots
