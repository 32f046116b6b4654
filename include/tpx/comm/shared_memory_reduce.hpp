// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include <tpx/comm/combine.hpp>
#include <tpx/comm/communicator.hpp>

namespace tpx::comm::detail {

/// out[i] = a[i] (reduction) b[i], rounded to what it is put into. `out` may be one of the two, or apart from
/// both: without the promise the compiler checks for overlap at run time, and takes the slow loop for sums in
/// place.
template <Reduction R, class Out, class A, class T>
void combine_two(Out* out, const A* a, const T* b, std::int64_t count) {
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#elif defined(__GNUC__)
#pragma GCC ivdep
#endif
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<Out>(combined<R, Sum<T>>(a[i], b[i]));
}

/// out[i] = (terms[0][i] + terms[1][i]) + terms[2][i] + ...: always in this order, so the bits depend
/// neither on who sums nor on where a chunk begins. Terms of bfloat16 are summed in float and their sum rounded
/// once. `out` may be one of the terms.
template <Reduction R, class T>
void combine_terms(T* out, std::span<const void* const> terms, std::int64_t count) {
  const auto term = [&](std::size_t k) { return static_cast<const T*>(terms[k]); };
  if (terms.size() == 1) {
    if (out != term(0)) std::copy_n(term(0), count, out);
    return;
  }
  if (terms.size() == 2) {
    combine_two<R>(out, term(0), term(1), count);
    return;
  }
  // A block stays in the nearest cache from the first term to the last.
  constexpr std::int64_t block = 4096 / static_cast<std::int64_t>(sizeof(Sum<T>));
  std::array<Sum<T>, static_cast<std::size_t>(block)> sum;
  for (std::int64_t at = 0; at < count; at += block) {
    const std::int64_t n = std::min(block, count - at);
    combine_two<R>(sum.data(), term(0) + at, term(1) + at, n);
    for (std::size_t k = 2; k + 1 < terms.size(); ++k) combine_two<R>(sum.data(), sum.data(), term(k) + at, n);
    combine_two<R>(out + at, sum.data(), term(terms.size() - 1) + at, n);
  }
}

inline void fetch_to_write(const void* memory, std::int64_t bytes) {
  for (std::int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(static_cast<const char*>(memory) + b, 1);
}

/// What combine_two computes, into two places.
template <Reduction R, class T>
void combine_two_into_both(T* out, T* other, const T* a, const T* b, std::int64_t count) {
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#elif defined(__GNUC__)
#pragma GCC ivdep
#endif
  for (std::int64_t i = 0; i < count; ++i) {
    const T sum = static_cast<T>(combined<R, Sum<T>>(a[i], b[i]));
    out[i] = sum;
    other[i] = sum;
  }
}

/// Elements [begin, end) of what combine_terms computes, into all of `outs`. In pieces that are still in the
/// nearest cache when they are put into the others' buffers; what will be written of those is asked for, to be
/// written, as long before as it takes to come from another core: read first, each line would change hands
/// twice.
///
/// @param mine  which of `outs` is this rank's
template <Reduction R, class T>
void combine_into_all(std::span<void* const> outs, std::size_t mine, std::span<const void* const> terms,
                      std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t size = sizeof(T), piece = 1024 / size, ahead = 4096 / size;
  const auto out = [&](std::size_t k) { return static_cast<T*>(outs[k]); };
  const auto term = [&](std::size_t k) { return static_cast<const T*>(terms[k]); };
  std::array<const void*, 64> here;  // as many ranks as a group has at most
  for (std::int64_t i = begin; i < end; i += piece) {
    const std::int64_t n = std::min(piece, end - i);
    const std::int64_t next = std::min(i + ahead, end);
    for (std::size_t k = 0; k < outs.size(); ++k)
      if (k != mine) fetch_to_write(out(k) + next, std::min(piece, end - next) * size);
    if (terms.size() == 2) {
      combine_two_into_both<R>(out(0) + i, out(1) + i, term(0) + i, term(1) + i, n);
      continue;
    }
    for (std::size_t k = 0; k < terms.size(); ++k) here[k] = term(k) + i;
    combine_terms<R>(out(mine) + i, std::span(here.data(), terms.size()), n);
    for (std::size_t k = 0; k < outs.size(); ++k)
      if (k != mine) std::memcpy(out(k) + i, out(mine) + i, static_cast<std::size_t>(n * size));
  }
}

/// f(element's type, reduction) as types.
template <class F>
void with_operation(Element element, Reduction reduction, F&& f) {
  tpx::detail::with_element(element, [&]<class T>(std::type_identity<T> type) {
    switch (reduction) {
      case Reduction::sum:
        f(type, std::integral_constant<Reduction, Reduction::sum>());
        break;
      case Reduction::max:
        f(type, std::integral_constant<Reduction, Reduction::max>());
        break;
      case Reduction::min:
        f(type, std::integral_constant<Reduction, Reduction::min>());
        break;
    }
  });
}

inline void combine_terms(void* out, std::span<const void* const> terms, std::int64_t count, Element element,
                          Reduction reduction) {
  with_operation(element, reduction,
                 [&]<class T, Reduction R>(std::type_identity<T>, std::integral_constant<Reduction, R>) {
                   combine_terms<R>(static_cast<T*>(out), terms, count);
                 });
}

inline void combine_into_all(std::span<void* const> outs, std::size_t mine, std::span<const void* const> terms,
                             std::int64_t begin, std::int64_t end, Element element, Reduction reduction) {
  with_operation(element, reduction,
                 [&]<class T, Reduction R>(std::type_identity<T>, std::integral_constant<Reduction, R>) {
                   combine_into_all<R, T>(outs, mine, terms, begin, end);
                 });
}

}  // namespace tpx::comm::detail
