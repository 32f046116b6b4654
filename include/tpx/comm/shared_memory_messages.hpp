// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

#include <tpx/comm/shared_memory_window.hpp>
#include <tpx/core/element.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// How many pieces a message is cut into: one even where there is nothing to send.
inline std::uint64_t pieces_of(const Call& call) {
  const std::int64_t bytes = call.count * element_size(call.element);
  return bytes == 0 ? 1 : static_cast<std::uint64_t>((bytes - 1) / SharedWindow::message_bytes + 1);
}

/// How long the piece is that starts at byte `at` of a message.
inline std::int64_t piece_bytes(const Call& call, std::int64_t at) {
  return std::min(SharedWindow::message_bytes, call.count * element_size(call.element) - at);
}

inline bool same_message(const Call& a, const Call& b) {
  return a.count == b.count && a.element == b.element && a.root == b.root;
}

inline std::string message_error(const char* what, const Call& sent, int from, const Call& expected, int to) {
  const auto text = [](const Call& call) {
    return std::to_string(call.count) + " " + name(call.element) + " with tag " + std::to_string(call.root);
  };
  return "tpx::comm::" + std::string(what) + ": a message is what its receiver expects; rank " +
         std::to_string(from) + " sent " + text(sent) + ", rank " + std::to_string(to) + " expected " +
         text(expected);
}

/// The sender's side of a message on its way. At most two pieces wait for the receiver, and the message is
/// done when all were received: then the counters of both sides are equal, as before it.
class SharedSend {
 public:
  SharedSend(SharedWindow& window, const Call& call, const void* data, int to)
      : window_(window),
        call_(call),
        data_(static_cast<const char*>(data)),
        to_(to),
        first_(window.sent(window.rank(), to).pieces.load(std::memory_order_relaxed)),
        last_(first_ + pieces_of(call)),
        next_(first_) {}

  bool done() const { return done_; }
  int peer() const { return to_; }
  const std::string& error() const { return error_; }

  /// Does what can be done without waiting; false when that is nothing.
  bool advance() {
    SharedWindow::Sent& mine = window_.sent(window_.rank(), to_);
    const SharedWindow::Received& theirs = window_.received(window_.rank(), to_);
    const std::uint64_t taken = theirs.pieces.load(std::memory_order_acquire);
    if (taken >= last_) {
      if (theirs.refused.load(std::memory_order_relaxed) == first_ + 1)
        error_ = message_error(name(call_.what), call_, window_.rank(), theirs.expected, to_);
      mine.pieces.store(last_, std::memory_order_release);
      done_ = true;
      return true;
    }
    const std::uint64_t before = next_;
    if (next_ == first_) mine.call = call_;
    for (; next_ < last_ && next_ < taken + 2; ++next_) {
      const std::int64_t at = static_cast<std::int64_t>(next_ - first_) * SharedWindow::message_bytes;
      if (call_.count > 0)
        std::memcpy(window_.message(window_.rank(), to_, next_), data_ + at,
                    static_cast<std::size_t>(piece_bytes(call_, at)));
      mine.pieces.store(next_ + 1, std::memory_order_release);
    }
    return next_ != before;
  }

 private:
  SharedWindow& window_;
  Call call_;
  const char* data_;
  int to_;
  std::uint64_t first_, last_, next_;
  bool done_ = false;
  std::string error_;
};

/// The receiver's side. A message that is not the expected one is refused whole, which its sender hears.
class SharedReceive {
 public:
  SharedReceive(SharedWindow& window, const Call& call, void* data, int from)
      : window_(window),
        call_(call),
        data_(static_cast<char*>(data)),
        from_(from),
        first_(window.received(from, window.rank()).pieces.load(std::memory_order_relaxed)),
        last_(first_ + pieces_of(call)),
        next_(first_) {}

  bool done() const { return done_; }
  int peer() const { return from_; }
  const std::string& error() const { return error_; }

  bool advance() {
    SharedWindow::Received& mine = window_.received(from_, window_.rank());
    const SharedWindow::Sent& theirs = window_.sent(from_, window_.rank());
    const std::uint64_t there = theirs.pieces.load(std::memory_order_acquire);
    if (there <= next_) return false;
    if (next_ == first_ && !same_message(theirs.call, call_)) {
      error_ = message_error(name(call_.what), theirs.call, from_, call_, window_.rank());
      mine.expected = call_;
      mine.refused.store(first_ + 1, std::memory_order_relaxed);
      mine.pieces.store(first_ + pieces_of(theirs.call), std::memory_order_release);
      done_ = true;
      return true;
    }
    for (; next_ < there; ++next_) {
      const std::int64_t at = static_cast<std::int64_t>(next_ - first_) * SharedWindow::message_bytes;
      if (call_.count > 0)
        std::memcpy(data_ + at, window_.message(from_, window_.rank(), next_),
                    static_cast<std::size_t>(piece_bytes(call_, at)));
      mine.pieces.store(next_ + 1, std::memory_order_release);
    }
    done_ = next_ == last_;
    return true;
  }

 private:
  SharedWindow& window_;
  Call call_;
  char* data_;
  int from_;
  std::uint64_t first_, last_, next_;
  bool done_ = false;
  std::string error_;
};

/// Advances all sides of what is under way until each is done, so that a refusal of one leaves no peer
/// waiting for another.
///
/// @throws tpx::Error when a message was refused, its peer died or left the group, or checks find that it takes
///         too long
template <class... Sides>
void complete(SharedWindow& window, const Call& call, Sides&... sides) {
  const Entered here(call, window.group(), window.rank(), window.ranks());
  Patience patience;
  while (!(sides.done() && ...)) {
    bool moved = false;
    ((moved = (!sides.done() && sides.advance()) || moved), ...);
    if (moved) {
      patience = {};
    } else if (patience.wait()) {
      const auto look = [&](auto& side) {
        if (side.done()) return;
        const std::string trouble = window.missing(side.peer());
        if (!trouble.empty() && !side.advance()) window.give_up(call, trouble);
      };
      (look(sides), ...);
      if (!(sides.done() && ...)) window.expect_in_time(call, patience);
    }
  }
  window.came();
  const auto raise = [](const std::string& error) {
    if (!error.empty()) fail(error);
  };
  (raise(sides.error()), ...);
}

}  // namespace tpx::comm::detail
