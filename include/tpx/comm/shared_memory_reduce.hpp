// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
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

inline void combine_terms(void* out, std::span<const void* const> terms, std::int64_t count, Element element,
                          Reduction reduction) {
  tpx::detail::with_element(element, [&]<class T>(std::type_identity<T>) {
    T* const to = static_cast<T*>(out);
    switch (reduction) {
      case Reduction::sum:
        combine_terms<Reduction::sum>(to, terms, count);
        break;
      case Reduction::max:
        combine_terms<Reduction::max>(to, terms, count);
        break;
      case Reduction::min:
        combine_terms<Reduction::min>(to, terms, count);
        break;
    }
  });
}

}  // namespace tpx::comm::detail
