// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tpx/comm/communicator.hpp>
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

template <Reduction R, class T>
void combine_loop(T* into, const T* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) into[i] = combined<R>(into[i], from[i]);
}

/// into[i] = into[i] (reduction) from[i]: one step of a reduction in a fixed order of ranks.
inline void combine(void* into, const void* from, std::int64_t count, Element element, Reduction reduction) {
  tpx::detail::with_element(element, [&]<class T>(std::type_identity<T>) {
    T* const to = static_cast<T*>(into);
    const T* const term = static_cast<const T*>(from);
    switch (reduction) {
      case Reduction::sum:
        combine_loop<Reduction::sum>(to, term, count);
        break;
      case Reduction::max:
        combine_loop<Reduction::max>(to, term, count);
        break;
      case Reduction::min:
        combine_loop<Reduction::min>(to, term, count);
        break;
    }
  });
}

}  // namespace tpx::comm::detail
