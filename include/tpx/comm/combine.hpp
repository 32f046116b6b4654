// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

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

template <Reduction R, class T>
constexpr T combined(T a, T b) {
  if constexpr (R == Reduction::max) return a < b ? b : a;
  if constexpr (R == Reduction::min) return b < a ? b : a;
  // Integers wrap around, as MPI's do; signed overflow would be undefined.
  if constexpr (std::is_integral_v<T>) {
    using Unsigned = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<Unsigned>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b)));
  } else {
    return a + b;
  }
}

}  // namespace tpx::comm::detail
