// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What every communicator must do, written once. Each check runs on all ranks of a group, compares with
// plain loops over what every rank holds, goes on after a difference (so that no rank is left waiting),
// and returns the differences as text: empty where all is right.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/core/error.hpp>
#include <tpx/core/philox.hpp>

namespace suite {

using tpx::element_v;
using tpx::comm::Reduction;

inline constexpr std::array<std::int64_t, 5> lengths{0, 1, 7, 1000, 4096};
inline constexpr std::array<Reduction, 3> reductions{Reduction::sum, Reduction::max, Reduction::min};

/// Element i of what `rank` holds: small integers, so that sums are exact in every type and order, and
/// no two ranks or neighbours alike, so that a wrong order or owner shows.
template <class T>
T value(int rank, std::int64_t i) {
  return static_cast<T>((rank * 17 + i * 7 + i / 11) % 53);
}

template <class T>
std::vector<T> held(int rank, std::int64_t n) {
  std::vector<T> all(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) all[static_cast<std::size_t>(i)] = value<T>(rank, i);
  return all;
}

/// Element i of the reduction over `ranks` ranks.
template <class T>
T reduced(int ranks, std::int64_t i, Reduction reduction) {
  auto result = +value<T>(0, i);
  for (int rank = 1; rank < ranks; ++rank) {
    const auto term = +value<T>(rank, i);
    if (reduction == Reduction::sum) result += term;
    if (reduction == Reduction::max) result = std::max(result, term);
    if (reduction == Reduction::min) result = std::min(result, term);
  }
  return static_cast<T>(result);
}

class Differences {
 public:
  /// `got` starts as `filler`, so an element that nobody wrote shows, and one beyond the end too.
  template <class T, class Expected>
  void compare(const std::string& what, const std::vector<T>& got, std::int64_t n, Expected expected) {
    for (std::int64_t i = 0; i < n; ++i) {
      const T right = expected(i);
      const T is = got[static_cast<std::size_t>(i)];
      if (is == right) continue;
      out_ << what << ": element " << i << " of " << n << " is " << +is << ", not " << +right << "; ";
      return;
    }
    for (std::size_t i = static_cast<std::size_t>(n); i < got.size(); ++i)
      if (got[i] != filler<T>()) out_ << what << ": wrote beyond its " << n << " elements; ";
  }

  void expect(const std::string& what, bool right) {
    if (!right) out_ << what << "; ";
  }

  template <class T>
  static T filler() {
    return static_cast<T>(99);
  }

  /// Room for n elements and one that must stay as it is.
  template <class T>
  static std::vector<T> room(std::int64_t n) {
    return std::vector<T>(static_cast<std::size_t>(n) + 1, filler<T>());
  }

  std::string text() const { return out_.str(); }

 private:
  std::ostringstream out_;
};

template <class T>
std::string label(const char* what, std::int64_t count) {
  return std::string(what) + " of " + std::to_string(count) + " " + tpx::name(element_v<T>);
}

template <class T, class Comm>
void all_reduce(const Comm& comm, std::int64_t n, Differences& found) {
  for (const Reduction reduction : reductions) {
    const auto expected = [&](std::int64_t i) { return reduced<T>(comm.size(), i, reduction); };
    const std::string what = label<T>("all_reduce", n) + " " + name(reduction);
    const std::vector<T> mine = held<T>(comm.rank(), n);
    std::vector<T> got = Differences::room<T>(n);
    comm.all_reduce(mine.data(), got.data(), n, element_v<T>, reduction);
    found.compare(what, got, n, expected);
    found.expect(what + ": changed what it sent", mine == held<T>(comm.rank(), n));
    std::vector<T> in_place = mine;
    comm.all_reduce(in_place.data(), in_place.data(), n, element_v<T>, reduction);
    found.compare(what + " in place", in_place, n, expected);
  }
}

template <class T, class Comm>
void all_gather(const Comm& comm, std::int64_t n, Differences& found) {
  const std::vector<T> mine = held<T>(comm.rank(), n);
  std::vector<T> got = Differences::room<T>(n * comm.size());
  comm.all_gather(mine.data(), got.data(), n, element_v<T>);
  found.compare(label<T>("all_gather", n), got, n * comm.size(),
                [&](std::int64_t i) { return value<T>(static_cast<int>(i / n), i % n); });
}

template <class T, class Comm>
void reduce_scatter(const Comm& comm, std::int64_t n, Differences& found) {
  for (const Reduction reduction : reductions) {
    const std::vector<T> mine = held<T>(comm.rank(), n * comm.size());
    std::vector<T> got = Differences::room<T>(n);
    comm.reduce_scatter(mine.data(), got.data(), n, element_v<T>, reduction);
    found.compare(label<T>("reduce_scatter", n) + " " + name(reduction), got, n,
                  [&](std::int64_t i) { return reduced<T>(comm.size(), comm.rank() * n + i, reduction); });
  }
}

template <class T, class Comm>
void all_to_all(const Comm& comm, std::int64_t n, Differences& found) {
  const std::vector<T> mine = held<T>(comm.rank(), n * comm.size());
  std::vector<T> got = Differences::room<T>(n * comm.size());
  comm.all_to_all(mine.data(), got.data(), n, element_v<T>);
  found.compare(label<T>("all_to_all", n), got, n * comm.size(),
                [&](std::int64_t i) { return value<T>(static_cast<int>(i / n), comm.rank() * n + i % n); });
}

/// How many elements each rank has of about n: unequal ones, with a rank that has none; or one rank alone has
/// some; or equal ones after all.
inline std::vector<std::int64_t> uneven(int ranks, std::int64_t n, int shape) {
  std::vector<std::int64_t> counts;
  for (int k = 0; k < ranks; ++k) {
    if (shape == 0) counts.push_back(k == 1 || n == 0 ? 0 : n + 3 * k);
    if (shape == 1) counts.push_back(k == ranks - 1 ? n : 0);
    if (shape == 2) counts.push_back(n);
  }
  return counts;
}

inline std::int64_t sum_of(const std::vector<std::int64_t>& counts) {
  std::int64_t sum = 0;
  for (const std::int64_t count : counts) sum += count;
  return sum;
}

/// Which rank element i of all blocks belongs to, and where in its block.
inline std::pair<int, std::int64_t> owner_of(const std::vector<std::int64_t>& counts, std::int64_t i) {
  int rank = 0;
  for (; i >= counts[static_cast<std::size_t>(rank)]; ++rank) i -= counts[static_cast<std::size_t>(rank)];
  return {rank, i};
}

inline std::int64_t start_of(const std::vector<std::int64_t>& counts, int rank) {
  return sum_of({counts.begin(), counts.begin() + rank});
}

template <class T, class Comm>
void uneven_all_gather(const Comm& comm, const std::vector<std::int64_t>& counts, Differences& found) {
  const std::int64_t n = counts[static_cast<std::size_t>(comm.rank())];
  const std::int64_t sum = sum_of(counts);
  const std::vector<T> mine = held<T>(comm.rank(), n);
  std::vector<T> got = Differences::room<T>(sum);
  comm.all_gather(mine.data(), got.data(), counts, element_v<T>);
  found.compare(label<T>("uneven all_gather", sum), got, sum, [&](std::int64_t i) {
    const auto [rank, at] = owner_of(counts, i);
    return value<T>(rank, at);
  });
}

template <class T, class Comm>
void uneven_reduce_scatter(const Comm& comm, const std::vector<std::int64_t>& counts, Differences& found) {
  const std::int64_t n = counts[static_cast<std::size_t>(comm.rank())];
  const std::int64_t start = start_of(counts, comm.rank());
  for (const Reduction reduction : reductions) {
    const std::vector<T> mine = held<T>(comm.rank(), sum_of(counts));
    std::vector<T> got = Differences::room<T>(n);
    comm.reduce_scatter(mine.data(), got.data(), counts, element_v<T>, reduction);
    found.compare(label<T>("uneven reduce_scatter", n) + " " + name(reduction), got, n,
                  [&](std::int64_t i) { return reduced<T>(comm.size(), start + i, reduction); });
  }
}

/// Rank r sends r's turn of the counts, so that no two ranks send alike: rank k gets counts[(r + k) % p].
template <class T, class Comm>
void uneven_all_to_all(const Comm& comm, const std::vector<std::int64_t>& counts, Differences& found) {
  const auto turned = [&](int rank) {
    std::vector<std::int64_t> turn = counts;
    std::rotate(turn.begin(), turn.begin() + rank, turn.end());
    return turn;
  };
  const std::vector<std::int64_t> send_counts = turned(comm.rank());
  const std::vector<std::int64_t> recv_counts = send_counts;  // (r + k) % p is the same from both sides
  const std::int64_t sum = sum_of(counts);
  const std::vector<T> mine = held<T>(comm.rank(), sum);
  std::vector<T> got = Differences::room<T>(sum);
  comm.all_to_all(mine.data(), send_counts, got.data(), recv_counts, element_v<T>);
  found.compare(label<T>("uneven all_to_all", sum), got, sum, [&](std::int64_t i) {
    const auto [from, at] = owner_of(recv_counts, i);
    return value<T>(from, start_of(turned(from), comm.rank()) + at);
  });
}

template <class T, class Comm>
void broadcast(const Comm& comm, std::int64_t n, Differences& found) {
  for (int root = 0; root < comm.size(); ++root) {
    std::vector<T> got = Differences::room<T>(n);
    if (comm.rank() == root) {
      const std::vector<T> mine = held<T>(root, n);
      std::copy(mine.begin(), mine.end(), got.begin());
    }
    comm.broadcast(got.data(), n, element_v<T>, root);
    found.compare(label<T>("broadcast", n), got, n, [&](std::int64_t i) { return value<T>(root, i); });
  }
}

/// Rank 0 sends to each other rank, then each sends to rank 0, the last first.
template <class T, class Comm>
void send_and_recv(const Comm& comm, std::int64_t n, Differences& found) {
  const std::vector<T> mine = held<T>(comm.rank(), n);
  for (int peer = 1; peer < comm.size(); ++peer) {
    if (comm.rank() == 0) comm.send(mine.data(), n, element_v<T>, peer, 5);
    if (comm.rank() != peer) continue;
    std::vector<T> got = Differences::room<T>(n);
    comm.recv(got.data(), n, element_v<T>, 0, 5);
    found.compare(label<T>("recv from 0", n), got, n, [&](std::int64_t i) { return value<T>(0, i); });
  }
  for (int peer = comm.size() - 1; peer > 0; --peer) {
    if (comm.rank() == peer) comm.send(mine.data(), n, element_v<T>, 0, 6);
    if (comm.rank() != 0) continue;
    std::vector<T> got = Differences::room<T>(n);
    comm.recv(got.data(), n, element_v<T>, peer, 6);
    found.compare(label<T>("recv at 0", n), got, n, [&](std::int64_t i) { return value<T>(peer, i); });
  }
}

/// Around the ring; rank r sends n + r elements, so that the two lengths differ. Alone: to itself.
template <class T, class Comm>
void send_recv(const Comm& comm, std::int64_t n, Differences& found) {
  const int to = (comm.rank() + 1) % comm.size();
  const int from = (comm.rank() + comm.size() - 1) % comm.size();
  const std::vector<T> mine = held<T>(comm.rank(), n + comm.rank());
  std::vector<T> got = Differences::room<T>(n + from);
  comm.send_recv(mine.data(), n + comm.rank(), to, got.data(), n + from, from, element_v<T>, 7);
  found.compare(label<T>("send_recv", n), got, n + from, [&](std::int64_t i) { return value<T>(from, i); });
}

/// A NaN of each rank in turn, beside which there are larger and smaller elements: it is the largest and the
/// smallest.
template <class T, class Comm>
void extremes_of_nan(const Comm& comm, std::int64_t n, Differences& found) {
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  for (int rank = 0; rank < comm.size() && n > 0; ++rank) {
    const std::int64_t place = (comm.size() - 1) * n + n / 2;  // of the last rank's block, and not alone in it
    std::vector<T> mine = held<T>(comm.rank(), n * comm.size());
    if (comm.rank() == rank) mine[at(place)] = mine[at(n - 1)] = static_cast<T>(std::nanf(""));
    for (const Reduction reduction : {Reduction::max, Reduction::min}) {
      const auto check = [&](const char* what, const std::vector<T>& got, std::int64_t first) {
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(got.size()); ++i) {
          const float is = static_cast<float>(got[at(i)]);
          const bool is_right = first + i == place || first + i == n - 1
                                    ? std::isnan(is)
                                    : is == static_cast<float>(reduced<T>(comm.size(), first + i, reduction));
          if (!is_right)
            return found.expect(label<T>(what, n) + " " + name(reduction) + " with a NaN of rank " +
                                    std::to_string(rank) + ": element " + std::to_string(first + i) + " is " +
                                    std::to_string(is),
                                false);
        }
      };
      std::vector<T> all(mine.size()), block(at(n));
      comm.all_reduce(mine.data(), all.data(), n * comm.size(), element_v<T>, reduction);
      check("all_reduce", all, 0);
      comm.reduce_scatter(mine.data(), block.data(), n, element_v<T>, reduction);
      check("reduce_scatter", block, comm.rank() * n);
    }
  }
}

/// Everything for one element type and count.
template <class T, class Comm>
std::string collectives(const Comm& comm, std::int64_t n) {
  Differences found;
  all_reduce<T>(comm, n, found);
  all_gather<T>(comm, n, found);
  reduce_scatter<T>(comm, n, found);
  all_to_all<T>(comm, n, found);
  for (int shape = 0; shape < 3; ++shape) {
    const std::vector<std::int64_t> counts = uneven(comm.size(), n, shape);
    uneven_all_gather<T>(comm, counts, found);
    uneven_reduce_scatter<T>(comm, counts, found);
    uneven_all_to_all<T>(comm, counts, found);
  }
  broadcast<T>(comm, n, found);
  send_and_recv<T>(comm, n, found);
  send_recv<T>(comm, n, found);
  if constexpr (!std::is_integral_v<T>) extremes_of_nan<T>(comm, n, found);
  comm.barrier();
  return found.text();
}

/// Element i of what `rank` holds of fractions of both signs and many sizes, whose sums are rounded.
inline tpx::bfloat16 fraction(int rank, std::int64_t i) {
  const tpx::PhiloxBlock bits = tpx::philox(7, static_cast<std::uint64_t>(rank), static_cast<std::uint64_t>(i));
  return tpx::bfloat16(
      std::ldexp(tpx::unit_interval(bits.word[0], bits.word[1]) - 0.5, static_cast<int>(i % 12)));
}

/// Sums of bfloat16 against plain loops: near the sum in double, and the bits of the sum in float, rounded
/// once.
template <class Comm>
std::string sums_of_bfloat16(const Comm& comm, std::int64_t n) {
  using tpx::bfloat16;
  Differences found;
  const int p = comm.size();
  const auto check = [&](const std::string& what, const std::vector<bfloat16>& got, std::int64_t first) {
    for (std::size_t k = 0; k + 1 < got.size(); ++k) {
      const std::int64_t i = first + static_cast<std::int64_t>(k);
      float sum = fraction(0, i);
      double exact = sum, size = std::fabs(exact);
      for (int rank = 1; rank < p; ++rank) {
        sum += fraction(rank, i);
        exact += static_cast<double>(fraction(rank, i));
        size += std::fabs(static_cast<double>(fraction(rank, i)));
      }
      const double bound = std::fabs(exact) / 256 + size / (1 << 20);
      const bool is_near = std::fabs(static_cast<double>(got[k]) - exact) <= bound;
      if (is_near && got[k].bits() == bfloat16(sum).bits()) continue;
      return found.expect(what + ": element " + std::to_string(i) + " is " + std::to_string(float{got[k]}) +
                              ", not " + std::to_string(sum),
                          false);
    }
  };
  const std::vector<std::int64_t> counts = uneven(p, n, 0);
  std::vector<bfloat16> mine;
  for (std::int64_t i = 0; i < std::max(p * n, sum_of(counts)); ++i) mine.push_back(fraction(comm.rank(), i));
  std::vector<bfloat16> got = Differences::room<bfloat16>(n);
  comm.all_reduce(mine.data(), got.data(), n, tpx::Element::bf16, Reduction::sum);
  check("all_reduce", got, 0);
  std::copy_n(mine.begin(), n, got.begin());
  comm.all_reduce(got.data(), got.data(), n, tpx::Element::bf16, Reduction::sum);
  check("all_reduce in place", got, 0);
  comm.reduce_scatter(mine.data(), got.data(), n, tpx::Element::bf16, Reduction::sum);
  check("reduce_scatter", got, comm.rank() * n);
  got = Differences::room<bfloat16>(counts[static_cast<std::size_t>(comm.rank())]);
  comm.reduce_scatter(mine.data(), got.data(), counts, tpx::Element::bf16, Reduction::sum);
  check("uneven reduce_scatter", got, start_of(counts, comm.rank()));
  return found.text();
}

/// A count of 0 with null pointers, everywhere.
template <class Comm>
std::string nothing(const Comm& comm) {
  const tpx::Element f32 = tpx::Element::f32;
  comm.all_reduce(nullptr, nullptr, 0, f32, Reduction::sum);
  comm.all_gather(nullptr, nullptr, 0, f32);
  comm.reduce_scatter(nullptr, nullptr, 0, f32, Reduction::sum);
  comm.all_to_all(nullptr, nullptr, 0, f32);
  comm.broadcast(nullptr, 0, f32, 0);
  const std::vector<std::int64_t> none(static_cast<std::size_t>(comm.size()), 0);
  comm.all_gather(nullptr, nullptr, none, f32);
  comm.reduce_scatter(nullptr, nullptr, none, f32, Reduction::sum);
  comm.all_to_all(nullptr, none, nullptr, none, f32);
  comm.send_recv(nullptr, 0, comm.rank(), nullptr, 0, comm.rank(), f32, 0);
  return {};
}

/// Messages of one tag arrive in the order they were sent; another tag overtakes them.
template <class Comm>
std::string messages_keep_their_order(const Comm& comm) {
  Differences found;
  if (comm.size() == 1) return found.text();
  const Comm other = comm.duplicate();
  for (std::int32_t i = 0; i < 20; ++i) {
    if (comm.rank() == 0) comm.send(&i, 1, tpx::Element::i32, 1, 3);
    if (comm.rank() != 1) continue;
    std::int32_t got = -1;
    comm.recv(&got, 1, tpx::Element::i32, 0, 3);
    found.expect("message " + std::to_string(i) + " out of order", got == i);
  }
  return found.text();
}

/// The rank's own collectives, on the row and on the column of a grid of rows * columns ranks; and in
/// the order that `members` gives.
template <class Comm>
std::string rows_and_columns(const Comm& comm, int rows, int columns) {
  Differences found;
  const int row = comm.rank() / columns;
  const int column = comm.rank() % columns;
  std::vector<int> in_row;
  std::vector<int> in_column;
  for (int j = 0; j < columns; ++j) in_row.push_back(row * columns + j);
  for (int i = 0; i < rows; ++i) in_column.push_back(i * columns + column);

  const Comm along_row = comm.subgroup(in_row);
  const Comm along_column = comm.subgroup(in_column);
  found.expect("row: rank", along_row.rank() == column);
  found.expect("row: size", along_row.size() == columns);
  found.expect("column: rank", along_column.rank() == row);
  found.expect("column: size", along_column.size() == rows);

  std::int64_t sum = comm.rank();
  along_row.all_reduce(&sum, &sum, 1, tpx::Element::i64, Reduction::sum);
  found.expect("row: sum", sum == row * columns * columns + columns * (columns - 1) / 2);
  along_column.all_reduce(&sum, &sum, 1, tpx::Element::i64, Reduction::sum);
  found.expect("row and column: sum", sum == comm.size() * (comm.size() - 1) / 2);

  std::reverse(in_row.begin(), in_row.end());
  const Comm backwards = comm.subgroup(in_row);
  const std::int32_t me = comm.rank();
  std::vector<std::int32_t> ranks(static_cast<std::size_t>(columns));
  backwards.all_gather(&me, ranks.data(), 1, tpx::Element::i32);
  found.expect("reversed row: order", std::equal(ranks.begin(), ranks.end(), in_row.begin(), in_row.end()));
  if (along_row.size() > 1) found.expect("the suite on a row", collectives<float>(along_row, 7).empty());
  const Comm copy = backwards.duplicate();
  found.expect("duplicate: rank and size", copy.rank() == backwards.rank() && copy.size() == backwards.size());
  found.expect("the suite on a duplicate", collectives<double>(copy, 7).empty());
  return found.text();
}

/// Groups of unequal sizes: the last rank alone, the others together.
template <class Comm>
std::string unequal_groups(const Comm& comm) {
  Differences found;
  const int last = comm.size() - 1;
  std::vector<int> members;
  if (comm.rank() == last) members.push_back(last);
  for (int r = 0; comm.rank() != last && r < last; ++r) members.push_back(r);
  const Comm group = comm.subgroup(members);
  found.expect("size", group.size() == static_cast<int>(members.size()));
  std::int32_t sum = 1;
  group.all_reduce(&sum, &sum, 1, tpx::Element::i32, Reduction::sum);
  found.expect("sum", sum == group.size());
  return found.text();
}

/// The text that a call throws tpx::Error with; "(none)" when it does not.
template <class F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const tpx::Error& error) {
    return error.what();
  }
  return "(none)";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Arguments that are refused the same way on every rank, before anything is communicated.
template <class Comm>
std::string bad_arguments(const Comm& comm) {
  Differences found;
  std::array<float, 4> a{};
  std::array<float, 4> b{};
  const tpx::Element f32 = tpx::Element::f32;
  const auto refused = [&](const std::string& text, const std::string& part) {
    found.expect("expected '" + part + "' in '" + text + "'", contains(text, part));
  };
  refused(error_of([&] { comm.all_reduce(a.data(), b.data(), -1, f32, Reduction::sum); }),
          "all_reduce: a count is not");
  refused(error_of([&] { comm.all_reduce(nullptr, b.data(), 4, f32, Reduction::sum); }),
          "null pointer; count = 4");
  refused(error_of([&] { comm.all_gather(a.data(), nullptr, 4, f32); }), "all_gather: only a count of 0");
  refused(error_of([&] { comm.all_gather(a.data(), a.data(), 1, f32); }), "send and recv do not overlap");
  volatile std::int64_t huge = INT64_MAX / 8;  // not known to the compiler, which would warn of what is refused
  refused(error_of([&] { comm.reduce_scatter(a.data(), b.data(), huge, f32, Reduction::sum); }), "2^63");
  refused(error_of([&] { comm.all_to_all(a.data(), b.data(), -7, f32); }), "count = -7");
  const std::size_t p = static_cast<std::size_t>(comm.size());
  const std::vector<std::int64_t> ones(p, 1);
  const std::vector<std::int64_t> too_few(p - 1, 1);
  const std::vector<std::int64_t> negative(p, -1);
  const std::vector<std::int64_t> too_many(p, INT64_MAX / 8);
  refused(error_of([&] { comm.all_gather(a.data(), b.data(), too_few, f32); }),
          "all_gather: there is one count for each rank");
  refused(error_of([&] { comm.reduce_scatter(a.data(), b.data(), negative, f32, Reduction::sum); }),
          "reduce_scatter: a count is not negative");
  refused(error_of([&] { comm.all_to_all(a.data(), too_many, b.data(), ones, f32); }), "2^63");
  refused(error_of([&] { comm.all_to_all(a.data(), ones, nullptr, ones, f32); }), "null pointer");
  refused(error_of([&] { comm.all_gather(a.data(), a.data(), ones, f32); }), "send and recv do not overlap");
  refused(error_of([&] { comm.broadcast(a.data(), 4, f32, comm.size()); }),
          "broadcast: root is a rank of the group");
  refused(error_of([&] { comm.broadcast(nullptr, 4, f32, 0); }), "broadcast: only a count of 0");
  const int me = comm.rank();
  refused(error_of([&] { comm.send_recv(a.data(), 4, -1, b.data(), 4, me, f32, 0); }), "to = -1");
  refused(error_of([&] { comm.send_recv(a.data(), 4, me, b.data(), 4, comm.size(), f32, 0); }), "from = ");
  refused(error_of([&] { comm.send_recv(a.data(), 4, me, b.data(), 4, me, f32, -2); }), "tag = -2");
  const std::string longer = error_of([&] { comm.send_recv(a.data(), 4, me, b.data(), 3, me, f32, 0); });
  found.expect("a message that is too long is received", longer != "(none)");

  const std::vector<int> beyond{comm.size()};
  refused(error_of([&] { comm.subgroup(beyond); }), "members are ranks of the parent");
  const std::vector<int> twice{me, me};
  refused(error_of([&] { comm.subgroup(twice); }), "comes twice");
  refused(error_of([&] { comm.subgroup({}); }), "the calling rank is a member");
  comm.barrier();  // and all of them still work together
  return found.text();
}

/// Ranks that disagree about who is in a group all hear of it. At least two ranks.
template <class Comm>
std::string contradictory_groups(const Comm& comm) {
  Differences found;
  std::vector<int> members{comm.rank()};
  if (comm.rank() == 0) members.push_back(1);
  const std::string text = error_of([&] { comm.subgroup(members); });
  found.expect("got '" + text + "'", contains(text, "all name the same members in the same order"));
  comm.barrier();
  return found.text();
}

/// A block that two ranks see differently is an error that names both: on the one that notices, at least. At
/// least two ranks.
template <class Comm>
std::string contradictory_blocks(const Comm& comm, bool everywhere) {
  Differences found;
  const std::size_t p = static_cast<std::size_t>(comm.size());
  std::vector<std::int64_t> send_counts(p, 2);
  const std::vector<std::int64_t> recv_counts(p, 2);
  if (comm.rank() == 0) send_counts[1] = 1;
  std::vector<float> a(2 * p);
  std::vector<float> b(2 * p);
  const std::string text =
      error_of([&] { comm.all_to_all(a.data(), send_counts, b.data(), recv_counts, tpx::Element::f32); });
  if (everywhere || comm.rank() == 1) {
    found.expect("got '" + text + "'", contains(text, "all_to_all"));
    found.expect("got '" + text + "'", contains(text, "rank 0 sent 1") || contains(text, "sent 1, expected 2"));
  }
  comm.barrier();
  return found.text() + collectives<float>(comm, 7);
}

template <class Comm>
std::string agreement(const Comm& comm) {
  Differences found;
  const int last = comm.size() - 1;
  found.expect("agree: yes", tpx::comm::agree(comm, true));
  found.expect("agree: no", !tpx::comm::agree(comm, comm.rank() != last));
  found.expect("nobody complains", error_of([&] { tpx::comm::throw_together(comm, ""); }) == "(none)");
  const std::string here = comm.rank() >= last / 2 ? "trouble at " + std::to_string(comm.rank()) : "";
  const std::string all = error_of([&] { tpx::comm::throw_together(comm, here); });
  const std::string speaker = std::to_string(last / 2);
  found.expect("got '" + all + "'", all == "trouble at " + speaker + " [on rank " + speaker + " of " +
                                               std::to_string(comm.size()) + "]");
  return found.text();
}

}  // namespace suite
