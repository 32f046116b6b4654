// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/bfloat16.hpp>
#include <tpx/core/element.hpp>

namespace tpx::comm::detail {

/// `pointer` moved on by `count` elements.
inline const void* advance(const void* pointer, std::int64_t count, Element element) {
  return pointer == nullptr ? nullptr : static_cast<const char*>(pointer) + count * element_size(element);
}

inline void* advance(void* pointer, std::int64_t count, Element element) {
  return pointer == nullptr ? nullptr : static_cast<char*>(pointer) + count * element_size(element);
}

/// Copies `count` elements; nothing where there is nothing to do, with null pointers too.
inline void copy(void* to, const void* from, std::int64_t count, Element element) {
  if (count > 0 && to != from) std::memcpy(to, from, static_cast<std::size_t>(count * element_size(element)));
}

/// What terms of T are summed in, so that the sum is rounded to T once, when all of them are in it.
template <class T>
using Sum = std::conditional_t<std::is_same_v<T, bfloat16>, float, T>;

/// The same of an element that is named at run time.
inline Element summed_as(Element element) { return element == Element::bf16 ? Element::f32 : element; }

/// Copies `n` elements, from bfloat16 to float or back where the types differ.
inline void convert(void* to, Element as, const void* from, Element element, std::int64_t n) {
  if (as == element) return copy(to, from, n, element);
  if (as == Element::f32) {
    std::copy_n(static_cast<const bfloat16*>(from), n, static_cast<float*>(to));
  } else {
    const float* const sums = static_cast<const float*>(from);
    std::transform(sums, sums + n, static_cast<bfloat16*>(to), [](float sum) { return bfloat16(sum); });
  }
}

/// A NaN is the largest and the smallest, whichever of the two it is.
template <Reduction R, class T>
constexpr T combined(T a, T b) {
  // Without a branch, so that loops of it vectorise.
  if constexpr (R == Reduction::max) return ((a > b) | (a != a)) ? a : b;
  if constexpr (R == Reduction::min) return ((a < b) | (a != a)) ? a : b;
  // Integers wrap around, as MPI's do; signed overflow would be undefined.
  if constexpr (std::is_integral_v<T>) {
    using Unsigned = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<Unsigned>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b)));
  } else {
    return a + b;
  }
}

}  // namespace tpx::comm::detail
