// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <tpx/kernel/strided.hpp>

/// The largest or smallest element of each of many walks through an array, and where it is.
namespace tpx::kernel {
namespace impl {

/// What is smaller than everything, or larger.
template <class T, bool Largest>
KOKKOS_FUNCTION constexpr T outermost() {
  using Limits = std::numeric_limits<T>;
  if constexpr (Limits::has_infinity) {
    return Largest ? -Limits::infinity() : Limits::infinity();
  } else {
    return Largest ? Limits::lowest() : Limits::max();
  }
}

/// Whether v takes the place of `best`: a NaN does so, and keeps it.
template <bool Largest, class T>
KOKKOS_FORCEINLINE_FUNCTION bool takes_place(T v, T best) {
  return (Largest ? v > best : v < best) || (v != v && best == best);
}

/// An element and its place along the walk; of equal ones the first counts.
template <class T, bool Largest>
struct Found {
  T value = outermost<T, Largest>();
  std::int64_t place = -1;

  KOKKOS_FORCEINLINE_FUNCTION void meet(T v, std::int64_t at) {
    const bool equal = v == value || (v != v && value != value);
    if (place >= 0 && !takes_place<Largest>(v, value) && !(equal && at < place)) return;
    value = v;
    place = at;
  }
};

template <class T, bool Largest>
struct Extreme {
  static constexpr int widest_team = 1024;
  static constexpr std::size_t scratch_bytes = widest_team * sizeof(Found<T, Largest>);
  const T* src;
  StrideMap kept, reduced;
  T* dst;
  std::int64_t* place;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t i) const {
    const T* at = src + kept.offset(i);
    const std::int64_t n = reduced.size(), step = reduced.ndim == 1 ? reduced.stride[0] : 0;
    Found<T, Largest> found;
    for (std::int64_t s = group.lane(); s < n; s += group.width())
      found.meet(at[reduced.ndim == 1 ? s * step : reduced.offset(s)], s);
    if constexpr (!std::is_same_v<Group, HostGroup>) {
      auto* const each = group.template scratch<Found<T, Largest>>();
      each[group.lane()] = found;
      group.barrier();
      if (group.lane() == 0)
        for (int lane = 1; lane < group.width(); ++lane)
          if (each[lane].place >= 0) found.meet(each[lane].value, each[lane].place);
    }
    if (group.lane() != 0) return;
    dst[i] = found.value;
    if (place != nullptr) place[i] = found.place;
  }
};

template <class T>
struct ExtremeGradient {
  const T* dy;
  const std::int64_t* place;
  StrideMap kept, reduced;
  T* dx;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    if (place[i] >= 0) dx[kept.offset(i) + reduced.offset(place[i])] += dy[i];
  }
};

}  // namespace impl

/// dst[i] = the largest (or smallest) element along `reduced` of the i-th element of the walk `kept`, and
/// place[i], where that is not null, the first place along `reduced` that has it, -1 where there is none.
///
/// @post   a NaN is the result, the first one where there are several; of no elements -infinity (or +infinity),
///         of integers the lowest (or largest) there is
template <bool Largest, class T, class Exec>
void extreme_strided(const Exec& exec, const T* src, const StrideMap& kept, const StrideMap& reduced, T* dst,
                     std::int64_t* place) {
  using Functor = impl::Extreme<T, Largest>;
  const char* const name = Largest ? "tpx::max_strided" : "tpx::min_strided";
  if constexpr (is_host_space_v<Exec>) {
    for_groups(exec, name, kept.size(), Functor{src, kept, reduced, dst, place});
  } else {
    for_groups(exec, name, kept.size(), Functor{src, kept, reduced, dst, place}, Functor::scratch_bytes);
  }
}

/// dx += dy at the places that extreme_strided found.
template <class T, class Exec>
void extreme_gradient(const Exec& exec, const T* dy, const std::int64_t* place, const StrideMap& kept,
                      const StrideMap& reduced, T* dx) {
  for_each(exec, "tpx::extreme_gradient", kept.size(), impl::ExtremeGradient<T>{dy, place, kept, reduced, dx});
}

}  // namespace tpx::kernel
