// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include <tpx/core/math.hpp>
#include <tpx/core/philox.hpp>
#include <tpx/kernel/group.hpp>

/// Choosing a class of each row of logits, of which every rank has some classes.
namespace tpx::kernel {

/// The classes of a rank: [first, first + columns) of which those from `valid` on are padding.
struct Candidates {
  std::int64_t rows, columns, first, valid;
  /// How many of this rank's classes are no padding.
  TPX_FUNCTION constexpr std::int64_t held() const {
    const std::int64_t n = valid - first;
    return n < 0 ? 0 : n < columns ? n : columns;
  }
};

/// A number for each float in the order of floats, so that thresholds are found digit by digit.
TPX_FUNCTION inline std::uint32_t order_of(float x) {
  std::uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

/// How many values a digit of an order has, and how many digits there are.
inline constexpr int order_bins = 256, order_digits = 4;

namespace impl {

/// Of each row the best candidate's score and class. A score is the logit, or logit / temperature plus a number
/// of Gumbel's distribution that the class has, by which a class is drawn with the probability that softmax
/// gives it.
template <class T>
struct BestCandidate {
  Candidates n;
  const T* logits;
  const std::uint32_t* threshold;
  double temperature;
  std::uint64_t seed, stream;
  double* found;

  KOKKOS_FUNCTION double score_of(std::int64_t row, std::int64_t c) const {
    const T logit = logits[row * n.columns + c];
    if (temperature == 0) return static_cast<double>(logit);
    const PhiloxBlock bits =
        philox(seed, stream + static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(n.first + c));
    // In (0, 1), neither end of it.
    const double u = unit_interval(bits.word[0], bits.word[1]) * (1 - 0x1p-52) + 0x1p-53;
    return static_cast<double>(logit) / temperature - math::log(-math::log(u));
  }

  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    constexpr double lowest = -std::numeric_limits<double>::infinity();
    constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
    double highest = lowest;
    std::int64_t at = none;
    const std::int64_t held = n.held();
    for (std::int64_t c = group.lane(); c < held; c += group.width()) {
      if (threshold != nullptr && order_of(static_cast<float>(logits[row * n.columns + c])) < threshold[row])
        continue;
      const double s = score_of(row, c);
      if (at == none || s > highest) {
        highest = s;
        at = n.first + c;
      }
    }
    const double winner = group.max(highest);
    // Of equal ones the first.
    const std::int64_t mine = at != none && highest == winner ? -at : -none;
    const std::int64_t first = -group.max(mine);
    if (group.lane() == 0) {
      found[2 * row] = winner;
      found[2 * row + 1] = static_cast<double>(first);
    }
  }
};

/// The best of what the ranks have found.
struct BestOfRanks {
  const double* found;
  std::int32_t* best;
  std::int64_t rows;
  int ranks;
  KOKKOS_FUNCTION void operator()(std::int64_t row) const {
    const double* at = found + 2 * row;
    for (int r = 1; r < ranks; ++r) {
      const double* other = found + 2 * (r * rows + row);
      // Of equal ones the first class, which is that of the smaller number.
      if (other[0] > at[0] || (other[0] == at[0] && other[1] < at[1])) at = other;
    }
    best[row] = static_cast<std::int32_t>(at[1]);
  }
};

/// Adds up, in a bin for each value of the next digit, what the candidates weigh whose digits before are those
/// of the threshold: 1 each, or exp((logit - largest) / temperature).
template <class T>
struct WeighCandidates {
  Candidates n;
  const T* logits;
  const std::uint32_t* threshold;
  const std::uint32_t* lower;
  const double* largest;
  double temperature;
  int digit;
  double* bins;

  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t row) const {
    const int shift = 32 - 8 * (digit + 1);
    double* bin = bins + row * order_bins;
    for (std::int64_t c = group.lane(); c < n.held(); c += group.width()) {
      const T logit = logits[row * n.columns + c];
      const std::uint32_t order = order_of(static_cast<float>(logit));
      if (digit > 0 && order >> (shift + 8) != threshold[row] >> (shift + 8)) continue;
      if (lower != nullptr && order < lower[row]) continue;
      const double weight =
          largest == nullptr ? 1.0 : math::exp((static_cast<double>(logit) - largest[row]) / temperature);
      double& to = bin[order >> shift & 0xffU];
      if constexpr (std::is_same_v<Group, HostGroup>) {
        to += weight;
      } else {
        Kokkos::atomic_add(&to, weight);
      }
    }
  }
};

/// The next digit of the threshold: the largest at which the candidates at and above it weigh as much as is
/// wanted.
struct NextDigit {
  const double* bins;
  double* wanted;
  std::uint32_t* threshold;
  double share;
  int digit;
  KOKKOS_FUNCTION void operator()(std::int64_t row) const {
    const double* bin = bins + row * order_bins;
    if (digit == 0) {
      threshold[row] = 0;
      if (share > 0) {
        double all = 0;
        for (int b = order_bins - 1; b >= 0; --b) all += bin[b];
        wanted[row] = share * all;
      }
    }
    double above = 0;
    int b = order_bins - 1;
    while (b > 0 && above + bin[b] < wanted[row]) above += bin[b--];
    // Rounding may leave the last bins empty: the lowest one that has something is low enough.
    while (b < order_bins - 1 && bin[b] == 0) above -= bin[++b];
    wanted[row] -= above;
    threshold[row] |= static_cast<std::uint32_t>(b) << (32 - 8 * (digit + 1));
  }
};

}  // namespace impl

/// The best candidate of each row, of those whose logit is at least the threshold.
///
///   logits  (rows, columns)    threshold  u32 (rows), order_of(logit), or null    found  (rows, 2): score,
///   class
///
/// @param temperature  0: the largest logit; else a draw from softmax(logits / temperature), the random numbers
///                     keyed by seed, stream + row and the class
/// @post   where there is no candidate the score is -infinity; of equal scores it is the first class
template <class T, class Exec>
void best_candidate(const Exec& exec, const Candidates& n, const T* logits, const std::uint32_t* threshold,
                    double temperature, std::uint64_t seed, std::uint64_t stream, double* found) {
  for_groups(exec, "tpx::best_candidate", n.rows,
             impl::BestCandidate<T>{n, logits, threshold, temperature, seed, stream, found});
}

/// best (rows) = the class with the highest score of any rank;   found  (ranks, rows, 2)
template <class Exec>
void best_of_ranks(const Exec& exec, const double* found, std::int32_t* best, std::int64_t rows, int ranks) {
  for_each(exec, "tpx::best_of_ranks", rows, impl::BestOfRanks{found, best, rows, ranks});
}

/// bins (rows, order_bins) = what candidates weigh, by the digit of their logits' order.
///
/// @param lower    u32 (rows): candidates below it do not count; or null
/// @param largest  (rows): the weight of a candidate is exp((logit - largest) / temperature); null: it is 1
template <class T, class Exec>
void weigh_candidates(const Exec& exec, const Candidates& n, const T* logits, const std::uint32_t* threshold,
                      const std::uint32_t* lower, const double* largest, double temperature, int digit,
                      double* bins) {
  for_groups(exec, "tpx::weigh_candidates", n.rows,
             impl::WeighCandidates<T>{n, logits, threshold, lower, largest, temperature, digit, bins});
}

/// One digit of the thresholds, the most significant first.
///
/// @param share  where more than 0, what is wanted is this share of all; else wanted (rows) says what
template <class Exec>
void next_digit(const Exec& exec, std::int64_t rows, const double* bins, double* wanted,
                std::uint32_t* threshold, double share, int digit) {
  for_each(exec, "tpx::next_digit", rows, impl::NextDigit{bins, wanted, threshold, share, digit});
}

}  // namespace tpx::kernel
