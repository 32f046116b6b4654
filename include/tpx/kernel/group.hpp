// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <Kokkos_Core.hpp>

#include <tpx/core/error.hpp>

/// One text for kernels on host and device: a *group* of lanes works on one index. On a host space a group
/// is one thread of width 1, known at compile time, so that a loop over lanes is a plain loop and
/// vectorises; on a device it is a team.
namespace tpx::kernel {

/// True where the kernels run on ordinary threads of the host (Serial, OpenMP, Threads).
template <class Exec>
inline constexpr bool is_host_space_v = std::is_same_v<typename Exec::memory_space, Kokkos::HostSpace>;

/// Whether a tool of Kokkos watches kernels and regions. Asked once, after Kokkos has loaded its tools: to ask
/// takes as long as all else that a small op does.
inline bool tools_watch() {
  static const bool watch = Kokkos::Profiling::profileLibraryLoaded();
  return watch;
}

/// Bytes of scratch that a host group can have; they lie on the stack of its thread.
inline constexpr std::size_t host_scratch_limit = 256 * 1024;

/// A group of one lane.
class HostGroup {
 public:
  KOKKOS_FUNCTION explicit HostGroup(std::byte* scratch = nullptr) : scratch_(scratch) {}

  KOKKOS_FUNCTION static constexpr int lane() { return 0; }
  KOKKOS_FUNCTION static constexpr int width() { return 1; }
  template <class T>
  KOKKOS_FUNCTION static constexpr T sum(T x) {
    return x;
  }
  template <class T>
  KOKKOS_FUNCTION static constexpr T max(T x) {
    return x;
  }
  KOKKOS_FUNCTION static constexpr void barrier() {}
  /// The group's scratch memory from `offset` bytes on, aligned to 64 bytes where the offset is.
  template <class T>
  KOKKOS_FUNCTION T* scratch(std::size_t offset = 0) const {
    return reinterpret_cast<T*>(scratch_ + offset);
  }

 private:
  std::byte* scratch_;
};

/// A team of device threads as a group.
template <class Member>
class TeamGroup {
 public:
  KOKKOS_FUNCTION TeamGroup(const Member& member, std::byte* scratch) : member_(member), scratch_(scratch) {}

  KOKKOS_FUNCTION int lane() const { return member_.team_rank(); }
  KOKKOS_FUNCTION int width() const { return member_.team_size(); }
  /// The sum over the lanes, on every lane.
  template <class T>
  KOKKOS_FUNCTION T sum(T x) const {
    member_.team_reduce(Kokkos::Sum<T>(x));
    return x;
  }
  /// The largest over the lanes, on every lane.
  template <class T>
  KOKKOS_FUNCTION T max(T x) const {
    member_.team_reduce(Kokkos::Max<T>(x));
    return x;
  }
  KOKKOS_FUNCTION void barrier() const { member_.team_barrier(); }
  template <class T>
  KOKKOS_FUNCTION T* scratch(std::size_t offset = 0) const {
    return reinterpret_cast<T*>(scratch_ + offset);
  }

 private:
  const Member& member_;
  std::byte* scratch_;
};

namespace impl {

/// One index of a host kernel that needs no scratch.
template <class Functor>
struct HostIndex {
  Functor functor;
  void operator()(std::int64_t index) const { functor(HostGroup{}, index); }
};

/// One index of a host kernel with scratch: a stack buffer, so that threads and ranks that are threads
/// share nothing (Kokkos' Serial space has a single scratch for the whole process in older releases).
template <class Functor>
struct HostIndexWithScratch {
  Functor functor;
  void operator()(std::int64_t index) const {
    alignas(64) std::byte buffer[host_scratch_limit];
    functor(HostGroup{buffer}, index);
  }
};

/// A team that walks the indices league_rank, league_rank + league_size, ...: the number of groups is not
/// bound by the width of a league.
template <class Exec, class Functor>
struct TeamIndex {
  using member_type = typename Kokkos::TeamPolicy<Exec>::member_type;
  Functor functor;
  std::int64_t count;
  std::size_t scratch_bytes;
  KOKKOS_FUNCTION void operator()(const member_type& member) const {
    std::byte* scratch = nullptr;
    if (scratch_bytes > 0) {
      scratch = static_cast<std::byte*>(member.team_shmem().get_shmem(static_cast<int>(scratch_bytes)));
    }
    const TeamGroup<member_type> group(member, scratch);
    for (std::int64_t index = member.league_rank(); index < count; index += member.league_size()) {
      functor(group, index);
      member.team_barrier();  // the next index reuses the scratch
    }
  }
};

/// for_groups with a team as a group.
template <class Exec, class Functor>
void for_teams(const Exec& exec, const char* name, std::int64_t count, const Functor& functor,
               std::size_t scratch_bytes) {
  constexpr std::int64_t widest_league = 1 << 20;
  const int league = static_cast<int>(count < widest_league ? count : widest_league);
  Kokkos::TeamPolicy<Exec> policy(exec, league, Kokkos::AUTO);
  policy.set_scratch_size(0, Kokkos::PerTeam(static_cast<int>(scratch_bytes)));
  Kokkos::parallel_for(name, policy, TeamIndex<Exec, Functor>{functor, count, scratch_bytes});
}

/// The sum of term(i) over [0, n), on every lane. On a host it adds into 32 running sums: a compiler may
/// not reorder a single one, so could not vectorise it.
template <class T, class Group, class Term>
KOKKOS_FUNCTION T group_sum(const Group& group, std::int64_t n, const Term& term) {
  if constexpr (std::is_same_v<Group, HostGroup>) {
    constexpr int ways = 32;
    T part[ways] = {};
    const std::int64_t whole = n / ways * ways;
    for (std::int64_t i = 0; i < whole; i += ways) {
      for (int w = 0; w < ways; ++w) part[w] += term(i + w);
    }
    const int rest = static_cast<int>(n - whole);
    for (int w = 0; w < rest; ++w) part[w] += term(whole + w);
    for (int half = ways / 2; half > 0; half /= 2) {
      for (int w = 0; w < half; ++w) part[w] += part[w + half];
    }
    return part[0];
  } else {
    T sum = 0;
    for (std::int64_t i = group.lane(); i < n; i += group.width()) sum += term(i);
    return group.sum(sum);
  }
}

}  // namespace impl

/// Calls functor(index) for each index in [0, n), asynchronously on `exec`.
template <class Exec, class Functor>
void for_each(const Exec& exec, const char* name, std::int64_t n, const Functor& functor) {
  if (n <= 0) return;
  if constexpr (is_host_space_v<Exec>) {
    // One thread needs no parallel region, which takes 0.3 us. Tools that watch get to see the kernel.
    if (exec.concurrency() == 1 && !tools_watch()) {
      const Functor own = functor;
      for (std::int64_t i = 0; i < n; ++i) own(i);
      return;
    }
  }
  Kokkos::parallel_for(name, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, n), functor);
}

/// Calls functor(group, index) for each index in [0, count), asynchronously on `exec`. Every lane of the
/// group makes the call.
template <class Exec, class Functor>
void for_groups(const Exec& exec, const char* name, std::int64_t count, const Functor& functor) {
  if (count <= 0) return;
  if constexpr (is_host_space_v<Exec>) {
    for_each(exec, name, count, impl::HostIndex<Functor>{functor});
  } else {
    impl::for_teams(exec, name, count, functor, 0);
  }
}

/// The same, and each group has `scratch_bytes` of memory of its own, whose content is undefined at the
/// start of each call.
///
/// @pre    scratch_bytes <= host_scratch_limit on a host space; what a team's level-0 scratch holds on a
///         device
/// @throws tpx::Error naming the bytes, on a host space
template <class Exec, class Functor>
void for_groups(const Exec& exec, const char* name, std::int64_t count, const Functor& functor,
                std::size_t scratch_bytes) {
  if (count <= 0) return;
  if constexpr (is_host_space_v<Exec>) {
    TPX_EXPECTS(scratch_bytes <= host_scratch_limit, scratch_bytes, host_scratch_limit);
    for_each(exec, name, count, impl::HostIndexWithScratch<Functor>{functor});
  } else {
    impl::for_teams(exec, name, count, functor, scratch_bytes);
  }
}

}  // namespace tpx::kernel
