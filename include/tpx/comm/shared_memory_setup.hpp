// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/comm/node.hpp>
#include <tpx/comm/shared_memory_file.hpp>
#include <tpx/comm/shared_memory_window.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// @throws tpx::Error on all ranks where they are not on one node, or too many
/// @comm   an all-gather of 64 u8 and an agreement
template <class Comm>
void expect_one_node(const Comm& ranks, const Node& node) {
  const std::int64_t length = static_cast<std::int64_t>(node.size());
  std::vector<char> all(node.size() * static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(node.data(), all.data(), length, Element::u8);
  std::string error;
  if (node == Node{}) error = "tpx::comm::SharedMemory::over: the kernel does not say which node this is";
  for (int other = ranks.size() - 1; other > 0; --other)
    if (!std::equal(node.begin(), node.end(), all.begin() + other * length) && ranks.rank() == 0)
      error = "tpx::comm::SharedMemory::over: the ranks share one node; rank 0 and rank " +
              std::to_string(other) + " are on two";
  if (ranks.size() > SharedWindow::max_ranks)
    error = "tpx::comm::SharedMemory::over: the ranks are at most 64; size = " + std::to_string(ranks.size());
  throw_together(ranks, error);
}

/// Memory that all of `members` map: the first of them makes and constructs it, and the others open it. To be
/// followed by an agreement over `parent`, until which the first has its file open.
///
/// @return what is wrong on this rank; empty where nothing is
/// @throws tpx::Error on all ranks where one cannot make it
/// @comm   over `parent`: an all-gather of 3 i64 and an agreement
template <class Comm, class Construct>
std::string share(const Comm& parent, std::span<const int> members, std::size_t bytes, SharedFile& file,
                  Construct construct) {
  const bool first = parent.rank() == members[0];
  std::string error;
  if (first) error = file.create(bytes);
  if (first && error.empty()) construct(file.memory());
  const SharedFile::Address mine = file.address();
  const std::array<std::int64_t, 3> shown{mine.process, mine.descriptor, mine.number};
  std::vector<std::int64_t> all(3 * static_cast<std::size_t>(parent.size()));
  parent.all_gather(shown.data(), all.data(), 3, Element::i64);
  throw_together(parent, error);
  if (first) return {};
  const std::int64_t* const there = all.data() + 3 * members[0];
  return file.open({there[0], there[1], there[2]}, bytes);
}

}  // namespace tpx::comm::detail
