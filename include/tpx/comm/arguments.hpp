// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <span>
#include <string>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/config.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

[[noreturn]] inline void refuse(const char* what, const std::string& rule) {
  fail("tpx::comm::" + std::string(what) + ": " + rule);
}

/// What every communicator asks of a collective's buffers; `blocks` is how many counts the larger holds.
inline void check_buffers(Collective what, const void* send, const void* recv, std::int64_t count,
                          int blocks = 1) {
  if constexpr (check_level >= check_level_cheap) {
    if (count < 0) refuse(name(what), "a count is not negative; count = " + std::to_string(count));
    if (count == 0) return;
    if (send == nullptr || recv == nullptr)
      refuse(name(what), "only a count of 0 may come with a null pointer; count = " + std::to_string(count));
    // 16 bytes are more than any element takes, so no address computed later can overflow.
    if (count > INT64_MAX / 16 / blocks)
      refuse(name(what), "the buffers exceed 2^63 bytes; count = " + std::to_string(count));
    if (send == recv && what != Collective::all_reduce && what != Collective::broadcast)
      refuse(name(what), "send and recv do not overlap; only all_reduce works in place");
  }
}

/// One buffer: the sender's or the receiver's side of a message, or a broadcast's.
inline void check_buffer(Collective what, const void* buffer, std::int64_t count) {
  if constexpr (check_level >= check_level_cheap) {
    if (count < 0) refuse(name(what), "a count is not negative; count = " + std::to_string(count));
    if (count > 0 && buffer == nullptr)
      refuse(name(what), "only a count of 0 may come with a null pointer; count = " + std::to_string(count));
    if (count > INT64_MAX / 16)
      refuse(name(what), "the buffer exceeds 2^63 bytes; count = " + std::to_string(count));
  }
}

inline void check_rank(Collective what, const char* role, int rank, int size) {
  if constexpr (check_level >= check_level_cheap) {
    if (rank < 0 || rank >= size)
      refuse(name(what), std::string(role) + " is a rank of the group, 0 to " + std::to_string(size - 1) +
                             "; " + role + " = " + std::to_string(rank));
  }
}

inline void check_tag(Collective what, int tag) {
  if constexpr (check_level >= check_level_cheap) {
    if (tag < 0) refuse(name(what), "a tag is not negative; tag = " + std::to_string(tag));
  }
}

/// A message: what is `send` for its sender's side and `recv` for its receiver's, and the rank on the other.
inline void check_message(Collective what, const void* buffer, std::int64_t count, int peer, int tag,
                          int size) {
  check_buffer(what, buffer, count);
  check_rank(what, what == Collective::send ? "to" : "from", peer, size);
  check_tag(what, tag);
}

inline void check_length(const char* what, std::int64_t sent, std::int64_t expected) {
  if (sent != expected)
    refuse(what, "a message has the length that its receiver expects; sent " + std::to_string(sent) +
                     ", expected " + std::to_string(expected));
}

/// What is wrong with the members that `rank` names for its subgroup; empty where nothing is.
inline std::string members_error(std::span<const int> members, int rank, int size) {
  std::set<int> seen;
  for (const int member : members) {
    if (member < 0 || member >= size)
      return "tpx::comm::subgroup: members are ranks of the parent, 0 to " + std::to_string(size - 1) +
             "; member = " + std::to_string(member);
    if (!seen.insert(member).second)
      return "tpx::comm::subgroup: members are distinct; member " + std::to_string(member) + " comes twice";
  }
  if (seen.count(rank) == 0)
    return "tpx::comm::subgroup: the calling rank is a member; rank = " + std::to_string(rank);
  return {};
}

/// The rank that `rank` has in its subgroup.
inline int position_in(std::span<const int> members, int rank) {
  return static_cast<int>(std::find(members.begin(), members.end(), rank) - members.begin());
}

/// @throws tpx::Error when the members are wrong
inline void check_members(std::span<const int> members, int rank, int size) {
  if (const std::string wrong = members_error(members, rank, size); !wrong.empty()) fail(wrong);
}

}  // namespace tpx::comm::detail
