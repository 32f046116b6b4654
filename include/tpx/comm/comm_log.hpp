// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm {

/// One collective call. `elements` is the number of elements in the larger of the calling rank's send
/// and receive buffers:
///
///   all_reduce, broadcast, send, recv          count
///   all_gather, reduce_scatter, all_to_all     ranks * count_per_rank; uneven: the sum of the counts, in
///                                              all_to_all the larger of both sums
///   send_recv                                  the larger count
///   barrier                                    0
struct CommCall {
  std::string label;  ///< whose: "tp", "dp,tp"
  Collective what = Collective::barrier;
  int ranks = 1;
  std::int64_t elements = 0;
  Element element = Element::u8;

  friend bool operator==(const CommCall&, const CommCall&) = default;
};

/// All calls of one collective under one label on groups of one size.
struct CommEntry {
  std::string label;
  Collective what = Collective::barrier;
  int ranks = 1;
  std::int64_t calls = 0;
  std::int64_t elements = 0;  ///< summed; as in CommCall
  std::int64_t bytes = 0;     ///< elements times their size, summed

  friend bool operator==(const CommEntry&, const CommEntry&) = default;
};

/// What one rank has communicated: totals, and the ordered calls where they are kept. A value: a copy
/// is a snapshot. Counting a call that was seen before allocates nothing.
///
/// @comm none
class CommLog {
 public:
  CommLog() { totals_.reserve(64); }
  CommLog(const CommLog& other) : CommLog() { *this = other; }
  CommLog& operator=(const CommLog&) = default;

  /// The number that stands for a label in `add`; made on first use.
  int label(std::string_view text) {
    const auto found = std::find(labels_.begin(), labels_.end(), text);
    if (found != labels_.end()) return static_cast<int>(found - labels_.begin());
    labels_.emplace_back(text);
    return static_cast<int>(labels_.size()) - 1;
  }

  /// Counts one call; `label` is a number from `label()`.
  void add(int label, Collective what, int ranks, std::int64_t elements, Element element) {
    Total* total = nullptr;
    for (Total& known : totals_)
      if (known.label == label && known.what == what && known.ranks == ranks) total = &known;
    if (total == nullptr) {
      totals_.push_back({label, what, ranks, 0, 0, 0});
      total = &totals_.back();
    }
    total->calls += 1;
    total->elements += elements;
    total->bytes += elements * element_size(element);
    if (keep_order_) ordered_.push_back({label, what, ranks, elements, element});
  }

  /// Whether each call is also kept by itself, in order; off at first, and the only part that grows.
  void keep_order(bool keep) { keep_order_ = keep; }

  /// Forgets all calls, not the labels' numbers nor whether the order is kept.
  void clear() {
    totals_.clear();
    ordered_.clear();
  }

  /// What was counted since `earlier`, a copy of this log taken before.
  /// @throws tpx::Error where the log was cleared in between
  CommLog since(const CommLog& earlier) const {
    CommLog recent = *this;
    for (const Total& before : earlier.totals_) {
      Total* now = nullptr;
      for (Total& total : recent.totals_)
        if (total.label == before.label && total.what == before.what && total.ranks == before.ranks)
          now = &total;
      if (now == nullptr || now->calls < before.calls)
        throw Error("tpx::comm::CommLog::since: the log was cleared after the copy was taken");
      now->calls -= before.calls;
      now->elements -= before.elements;
      now->bytes -= before.bytes;
    }
    std::erase_if(recent.totals_, [](const Total& total) { return total.calls == 0; });
    recent.ordered_.erase(recent.ordered_.begin(),
                          recent.ordered_.begin() + static_cast<std::ptrdiff_t>(earlier.ordered_.size()));
    return recent;
  }

  /// The totals, sorted by label, collective and number of ranks.
  std::vector<CommEntry> entries() const {
    std::vector<CommEntry> all;
    for (const Total& total : totals_) {
      CommEntry entry{text(total.label), total.what, total.ranks, total.calls, total.elements, total.bytes};
      // By insertion: they are few, and every program would pay for compiling a sort.
      auto at = all.end();
      while (at != all.begin() && is_before(entry, *std::prev(at))) --at;
      all.insert(at, std::move(entry));
    }
    return all;
  }

  /// The calls in order, since keep_order(true).
  std::vector<CommCall> calls() const {
    std::vector<CommCall> all;
    for (const Call& call : ordered_)
      all.push_back({text(call.label), call.what, call.ranks, call.elements, call.element});
    return all;
  }

  /// All calls of a collective under a label, whatever the number of ranks (0 where none was counted).
  CommEntry total(std::string_view label, Collective what) const {
    CommEntry sum{std::string(label), what, 0, 0, 0, 0};
    for (const Total& each : totals_) {
      if (each.what != what || text(each.label) != label) continue;
      sum.ranks = each.ranks;
      sum.calls += each.calls;
      sum.elements += each.elements;
      sum.bytes += each.bytes;
    }
    return sum;
  }

  /// The same totals; the order of the calls is not compared (`calls()` are).
  friend bool operator==(const CommLog& a, const CommLog& b) { return a.entries() == b.entries(); }

  /// A table, one line an entry; in a log without calls, the sentence that says so.
  friend std::ostream& operator<<(std::ostream& out, const CommLog& log) {
    if (log.totals_.empty()) return out << "no communication\n";
    std::size_t width = 5;
    for (const Total& total : log.totals_) width = std::max(width, log.text(total.label).size());
    const int first = static_cast<int>(width) + 2;
    const std::ios_base::fmtflags before = out.flags();
    // Widths by hand: <iomanip> reads the locales' money and dates, and every program would wait for it.
    const auto line = [&out, first](const auto&... columns) {
      const int widths[] = {first, 16, 6, 10, 16, 18};
      int column = 0;
      ((out << (column < 2 ? std::left : std::right), out.width(widths[column]), out << columns, ++column),
       ...);
      out << '\n';
    };
    line("label", "collective", "ranks", "calls", "elements", "bytes");
    for (const CommEntry& entry : log.entries())
      line(entry.label, name(entry.what), entry.ranks, entry.calls, entry.elements, entry.bytes);
    out.flags(before);
    return out;
  }

 private:
  static bool is_before(const CommEntry& a, const CommEntry& b) {
    if (a.label != b.label) return a.label < b.label;
    return a.what != b.what ? a.what < b.what : a.ranks < b.ranks;
  }

  struct Total {
    int label;
    Collective what;
    int ranks;
    std::int64_t calls;
    std::int64_t elements;
    std::int64_t bytes;
  };
  struct Call {
    int label;
    Collective what;
    int ranks;
    std::int64_t elements;
    Element element;
  };

  const std::string& text(int label) const { return labels_[static_cast<std::size_t>(label)]; }

  std::vector<std::string> labels_;
  std::vector<Total> totals_;
  std::vector<Call> ordered_;
  bool keep_order_ = false;
};

}  // namespace tpx::comm
