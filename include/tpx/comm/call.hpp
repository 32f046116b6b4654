// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/element.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm {

namespace detail {

/// What a rank is doing, as its peers see it. All of it must agree in a collective; in a message `root` is
/// the tag.
struct Call {
  std::int64_t count = 0;
  std::int32_t root = -1;
  Collective what = Collective::barrier;
  Element element = Element::u8;
  Reduction reduction = Reduction::sum;
  std::uint32_t blocks = 0;  ///< which uneven blocks; 0 for even ones

  friend bool operator==(const Call&, const Call&) = default;

  /// Whether the count is the same on every rank, and shown.
  bool counted() const { return what != Collective::all_to_all || blocks == 0; }

  std::string text() const {
    if (what == Collective::barrier) return name(what);
    std::string out = std::string(name(what)) + " of ";
    if (counted()) out += std::to_string(count) + " ";
    out += name(element);
    if (reduction != Reduction::sum) out += std::string(" (") + name(reduction) + ")";
    if (blocks != 0) out += " in uneven blocks";
    if (what == Collective::broadcast) out += ", root " + std::to_string(root);
    return out;
  }
};

/// " over tp": whose group, where it has a name.
inline std::string over(const std::string& group) { return group.empty() ? group : " over " + group; }

inline std::string called_by(std::string_view op) {
  return op.empty() ? std::string() : ", called by " + std::string(op);
}

inline std::string waits_in(const std::string& call) {
  return " waits in " + (call.empty() ? "no call" : call);
}

/// The op that a call is made by, as the others hear of it where checks communicate; cut where it is long.
struct Caller {
  std::array<char, 64> op{};

  void set() {
    const std::string_view now = tpx::detail::op_in_progress();
    op[now.copy(op.data(), op.size() - 1)] = '\0';
  }
};

/// What a rank tells the others of its call.
struct Said {
  Call call{};
  Caller caller{};

  std::string text() const { return call.text() + called_by(caller.op.data()); }
};

inline std::string calls_differ_error(const char* communicator, const std::string& group, const Said& first,
                                      int other, const Said& second) {
  return "tpx::comm::" + std::string(communicator) + ": the ranks of a group make the same call" + over(group) +
         ": rank 0 is in " + first.text() + ", rank " + std::to_string(other) + " in " + second.text() +
         (second.call.text() == first.call.text() ? " of other sizes" : "");
}

/// That this thread is in a call, for as long as it lives.
class Entered {
 public:
  Entered(const Call& call, const std::string& group, int rank, int ranks)
      : call_(call), group_(group), rank_(rank), ranks_(ranks), outer_(std::exchange(innermost(), this)) {}
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  ~Entered() { innermost() = outer_; }

  /// The call that this thread is in; null where it is in none.
  static const Entered*& innermost() {
    static thread_local const Entered* call = nullptr;
    return call;
  }

  std::string text() const { return call_.text() + over(group_) + called_by(tpx::detail::op_in_progress()); }
  std::string where() const { return "rank " + std::to_string(rank_) + " of " + std::to_string(ranks_); }

  /// Writes a line about it, by what a signal handler may use.
  void say() const {
    put("tpx: told to end, rank ");
    put(rank_);
    put(" of ");
    put(ranks_);
    put(" was in ");
    put(name(call_.what));
    if (call_.what != Collective::barrier) {
      put(" of ");
      if (call_.counted()) {
        put(call_.count);
        put(" ");
      }
      put(name(call_.element));
      if (call_.blocks != 0) put(" in uneven blocks");
    }
    if (!group_.empty()) put(" over ");
    put(group_);
    put("\n");
    const ssize_t written = ::write(STDERR_FILENO, line_.data(), used_);
    (void)written;  // nobody is left to hear of it
  }

 private:
  void put(std::string_view text) const { used_ += text.copy(line_.data() + used_, line_.size() - used_); }
  void put(std::int64_t number) const {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    put(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }

  const Call call_;
  const std::string& group_;
  int rank_;
  int ranks_;
  const Entered* outer_;
  mutable std::array<char, 200> line_;
  mutable std::size_t used_ = 0;
};

}  // namespace detail

/// From here on SIGTERM, by which a launcher ends the ranks that a dead one leaves behind, makes a rank say in
/// which call it is: "tpx: told to end, rank 0 of 3 was in all_reduce of 10 f32 over tp". It has a second to
/// report more, such as which rank is dead, before it ends. Nothing changes where the program handles SIGTERM.
inline void report_on_termination() {
  const auto before = std::signal(SIGTERM, [](int) {
    if (const detail::Entered* const call = detail::Entered::innermost(); call != nullptr) call->say();
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGALRM, [](int) { std::raise(SIGTERM); });
    ::alarm(1);
  });
  if (before != SIG_DFL) std::signal(SIGTERM, before);
}

}  // namespace tpx::comm
