// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm {

/// True on every rank when `ok` is true on every rank.
///
/// @pre  the communicator reads host memory (or, abstract, none: then the answer is this rank's)
/// @comm one all-reduce (min) of 1 i32
template <Communicator Comm>
bool agree(const Comm& comm, bool ok) {
  std::int32_t all = ok ? 1 : 0;
  comm.all_reduce(&all, &all, 1, Element::i32, Reduction::min);
  return all != 0;
}

/// Throws on every rank when any rank has something to complain about, so that none is left waiting in
/// a collective that another never enters.
///
/// @param error_here  what went wrong on this rank; empty where nothing did
/// @pre   the communicator reads host memory (or, abstract, none: then the answer is this rank's)
/// @comm  one all-reduce (min) of 1 i32; before a throw also broadcasts of 1 i64 and of the text
/// @throws tpx::Error with the text of the lowest rank that has one, and that rank, the same everywhere
template <Communicator Comm>
void throw_together(const Comm& comm, const std::string& error_here) {
  std::int32_t speaker = error_here.empty() ? comm.size() : comm.rank();
  comm.all_reduce(&speaker, &speaker, 1, Element::i32, Reduction::min);
  if (speaker == comm.size()) return;

  std::string text = speaker == comm.rank() ? error_here : std::string();
  std::int64_t length = static_cast<std::int64_t>(text.size());
  comm.broadcast(&length, 1, Element::i64, speaker);
  text.resize(static_cast<std::size_t>(length));
  comm.broadcast(text.data(), length, Element::u8, speaker);
  throw Error(text + " [on rank " + std::to_string(speaker) + " of " + std::to_string(comm.size()) + "]");
}

}  // namespace tpx::comm
