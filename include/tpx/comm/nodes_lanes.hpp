// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tpx/comm/combine.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/kept_memory.hpp>
#include <tpx/comm/node_map.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/comm/shared_memory_reduce.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// The collectives of a group that spans nodes on some of which it has several ranks. What ranks of one node
/// have to do with one another they do in its memory; from node to node nothing goes twice, and each lane has
/// its share. Sums are taken on each node in the order of its ranks, then over the nodes in theirs, of bfloat16
/// in float and rounded once: the same bits on every rank and in every run.
///
/// Where buffers are large they go in parts, so that the memory for what is under way, which is kept, stays
/// small.
template <class Across>
class Lanes {
 public:
  /// @comm makes a group of `all`, where this one spans nodes
  Lanes(const Across& all, NodeMap map) : map_(std::move(map)), rank_(all.rank()) {
    if (map_.nodes() == 1 || map_.all_apart()) return;
    peers_.emplace(all.subgroup(map_.peers()));
    per_lane_.resize(map_.ranks_on(map_.node()).size());
    to_place_ = from_place_ = per_lane_;
    per_node_.resize(static_cast<std::size_t>(map_.nodes()));
    terms_.resize(per_node_.size());
    mine_.resize(per_node_.size());
    sizes_.resize(map_.order().size());
    starts_ = came_starts_ = came_ = sent_ = passed_ = sizes_;
  }

  const NodeMap& map() const { return map_; }
  bool span_nodes() const { return peers_.has_value(); }
  /// The ranks of this rank's lane. @pre they span nodes
  const Across& peers() const { return *peers_; }
  template <class Label>
  void set_label(const Label& name) {
    if constexpr (requires { peers_->set_label(name); })
      if (peers_) peers_->set_label(name);
  }

  void all_reduce(const SharedMemory& inside, const void* send, void* recv, std::int64_t count, Element element,
                  Reduction reduction) {
    const Element sums = summed_as(element);
    for (std::int64_t at = 0; at < count; at += most_elements) {
      const std::int64_t n = std::min(most_elements, count - at);
      split(n, map_.lanes(), per_lane_);
      const std::int64_t share = count_of(per_lane_, map_.place());
      void* const slice = lane_memory_.of(inside, share, sums);
      const void* terms = advance(send, at, element);
      if (sums != element) {
        void* const wide = group_memory_.of(inside, n, sums);
        convert(wide, sums, terms, element, n);
        terms = wide;
      }
      inside.reduce_scatter(terms, slice, Counts(per_lane_), sums, reduction);
      if (map_.in_a_lane()) {
        split(share, map_.nodes(), per_node_);
        const std::int64_t mine = count_of(per_node_, map_.node());
        void* sum = own_memory_.of(inside, mine, sums);
        add_across(inside, slice, sum, sums, reduction);
        if (sums != element) {
          void* const rounded = terms_memory_.of(inside, mine, element);
          convert(rounded, element, sum, sums, mine);
          sum = rounded;
        }
        peers_->all_gather(sum, slice, Counts(per_node_), element);
      }
      inside.all_gather(slice, advance(recv, at, element), Counts(per_lane_), element);
    }
  }

  void all_gather(const SharedMemory& inside, const void* send, void* recv, const Blocks& blocks,
                  Element element) {
    for_each_part(blocks, [&](std::int64_t at) {
      const void* block = advance(send, at, element);
      if (!map_.even()) {
        const std::vector<int>& here = map_.ranks_on(map_.node());
        for (std::size_t k = 0; k < here.size(); ++k) to_place_[k] = count_of(sizes_, here[k]);
        void* const gathered = own_memory_.of(inside, sum_of(to_place_), element);
        inside.all_gather(block, gathered, Counts(to_place_), element);
        block = gathered;
      }
      void* const carried = lane_memory_.of(inside, count_of(per_lane_, map_.place()), element);
      if (map_.in_a_lane()) peers_->all_gather(block, carried, Counts(per_node_), element);
      void* const all = group_memory_.of(inside, sum_of(sizes_), element);
      inside.all_gather(carried, all, Counts(per_lane_), element);
      std::int64_t from = 0;
      for (const int r : map_.order()) {
        const std::int64_t n = count_of(sizes_, r);
        copy(advance(recv, count_of(starts_, r) + at, element), advance(all, from, element), n, element);
        from += n;
      }
    });
  }

  void reduce_scatter(const SharedMemory& inside, const void* send, void* recv, const Blocks& blocks,
                      Element element, Reduction reduction) {
    const Element sums = summed_as(element);
    for_each_part(blocks, [&](std::int64_t at) {
      void* const all = group_memory_.of(inside, sum_of(sizes_), sums);
      std::int64_t to = 0;
      for (const int r : map_.order()) {
        const std::int64_t n = count_of(sizes_, r);
        convert(advance(all, to, sums), sums, advance(send, count_of(starts_, r) + at, element), element, n);
        to += n;
      }
      void* const carried = lane_memory_.of(inside, count_of(per_lane_, map_.place()), sums);
      inside.reduce_scatter(all, carried, Counts(per_lane_), sums, reduction);
      const std::int64_t mine = count_of(sizes_, rank_);
      void* const out = advance(recv, at, element);
      void* const sum = sums == element ? out : own_memory_.of(inside, mine, sums);
      if (map_.even()) {
        add_across(inside, carried, sum, sums, reduction);
      } else {
        if (map_.in_a_lane()) add_across(inside, carried, all, sums, reduction);
        hand_out(inside, all, sum, sums);
      }
      if (sums != element) convert(out, element, sum, sums, mine);
    });
  }

  /// @pre the nodes have equally many ranks
  void all_to_all(const SharedMemory& inside, const void* send, void* recv, std::int64_t count,
                  Element element) {
    for_each_part(Blocks(count), [&](std::int64_t at) {
      came_ = sent_ = passed_ = sizes_;
      came_starts_ = starts_;
      exchange(inside, advance(send, at, element), advance(recv, at, element), element);
    });
  }

  /// As above. The ranks of a lane tell each other what they pass on, so that blocks of other sizes than their
  /// receiver expects are an error on it, and nobody waits.
  void all_to_all(const SharedMemory& inside, const void* send, Counts out, void* recv, Counts in,
                  Element element) {
    std::copy(out.begin(), out.end(), sizes_.begin());
    std::exclusive_scan(out.begin(), out.end(), starts_.begin(), std::int64_t{0});
    std::exclusive_scan(in.begin(), in.end(), came_starts_.begin(), std::int64_t{0});
    std::size_t i = 0;
    for (const int r : map_.order()) passed_[i++] = count_of(sizes_, r);
    inside.all_to_all(passed_.data(), sent_.data(), map_.nodes(), Element::i64);
    for_each_pair([&](std::size_t by_node, std::size_t by_place, int) { passed_[by_node] = sent_[by_place]; });
    peers_->all_to_all(passed_.data(), came_.data(), map_.lanes(), Element::i64);
    std::string wrong;
    for_each_pair([&](std::size_t by_node, std::size_t, int from) {
      if (wrong.empty()) wrong = exchange_error(from, rank_, came_[by_node], count_of(in, from));
    });
    exchange(inside, send, wrong.empty() ? recv : nullptr, element);
    if (!wrong.empty()) fail(wrong);
  }

 private:
  // What is under way at once, of all ranks together.
  static constexpr std::int64_t most_elements = std::int64_t{1} << 17;

  /// n in `parts` equal ones, the first ones larger by one, and nothing for who is left.
  static void split(std::int64_t n, int parts, std::vector<std::int64_t>& counts) {
    for (std::size_t k = 0; k < counts.size(); ++k) {
      const std::int64_t at = static_cast<std::int64_t>(k);
      counts[k] = at < parts ? n / parts + (at < n % parts ? 1 : 0) : 0;
    }
  }

  /// f(at) for elements [at, ...) of every block, sizes_ of them, which start at starts_ + at.
  template <class F>
  void for_each_part(const Blocks& blocks, F f) {
    const std::int64_t p = static_cast<std::int64_t>(sizes_.size());
    const std::int64_t most = std::max<std::int64_t>(1, most_elements / p);
    std::int64_t start = 0;
    for (int r = 0; r < p; ++r) {
      starts_[static_cast<std::size_t>(r)] = start;
      start += blocks.size(r);
    }
    for (std::int64_t at = 0; at < blocks.largest(); at += most) {
      for (int r = 0; r < p; ++r)
        sizes_[static_cast<std::size_t>(r)] = std::clamp<std::int64_t>(blocks.size(r) - at, 0, most);
      std::fill(per_lane_.begin(), per_lane_.end(), 0);
      std::fill(per_node_.begin(), per_node_.end(), 0);
      for (const int r : map_.order()) {
        per_lane_[static_cast<std::size_t>(map_.lane_of(r))] += count_of(sizes_, r);
        if (map_.lane_of(r) == map_.place())
          per_node_[static_cast<std::size_t>(map_.number_of(r))] += count_of(sizes_, r);
      }
      f(at);
    }
  }

  /// f(by node, by place, rank) for all ranks of the nodes: the rank's number where they are counted by node,
  /// then by place, and the other way round.
  template <class F>
  void for_each_pair(F f) const {
    const int places = map_.lanes(), nodes = map_.nodes();
    for (int node = 0; node < nodes; ++node)
      for (int place = 0; place < places; ++place)
        f(static_cast<std::size_t>(node * places + place), static_cast<std::size_t>(place * nodes + node),
          map_.ranks_on(node)[static_cast<std::size_t>(place)]);
  }

  /// out = the sum over the nodes of what their lanes carry for this one.
  void add_across(const SharedMemory& inside, const void* carried, void* out, Element element,
                  Reduction reduction) {
    const std::int64_t mine = count_of(per_node_, map_.node());
    void* const terms = terms_memory_.of(inside, map_.nodes() * mine, element);
    std::fill(mine_.begin(), mine_.end(), mine);
    peers_->all_to_all(carried, Counts(per_node_), terms, Counts(mine_), element);
    for (std::size_t k = 0; k < terms_.size(); ++k)
      terms_[k] = advance(terms, static_cast<std::int64_t>(k) * mine, element);
    combine_terms(out, terms_, mine, element, reduction);
  }

  /// Of the blocks of a node's ranks, which its first has, to each its own.
  void hand_out(const SharedMemory& inside, const void* blocks, void* mine, Element element) {
    const std::vector<int>& here = map_.ranks_on(map_.node());
    for (std::size_t k = 0; k < here.size(); ++k) {
      to_place_[k] = map_.in_a_lane() ? count_of(sizes_, here[k]) : 0;
      from_place_[k] = k == 0 ? count_of(sizes_, rank_) : 0;
    }
    inside.all_to_all(blocks, Counts(to_place_), mine, Counts(from_place_), element);
  }

  /// All-to-all of sizes_ elements for each rank, at starts_, and came_ from each, to came_starts_: on each
  /// node to the lane of who receives, then over the lane. What this rank passes on is sent_, by place, and
  /// passed_, by node. Where recv is null, nothing is kept of what comes.
  void exchange(const SharedMemory& inside, const void* send, void* recv, Element element) {
    void* const by_lane = group_memory_.of(inside, sum_of(sizes_), element);
    std::fill(per_lane_.begin(), per_lane_.end(), 0);
    std::int64_t to = 0;
    for (const int r : map_.order()) {
      const std::int64_t n = count_of(sizes_, r);
      copy(advance(by_lane, to, element), advance(send, count_of(starts_, r), element), n, element);
      per_lane_[static_cast<std::size_t>(map_.lane_of(r))] += n;
      to += n;
    }
    std::fill(from_place_.begin(), from_place_.end(), 0);
    std::fill(per_node_.begin(), per_node_.end(), 0);
    std::fill(mine_.begin(), mine_.end(), 0);
    const std::size_t places = from_place_.size();
    for_each_pair([&](std::size_t by_node, std::size_t, int) {
      from_place_[by_node % places] += passed_[by_node];
      per_node_[by_node / places] += passed_[by_node];
      mine_[by_node / places] += came_[by_node];
    });
    const std::int64_t n = sum_of(passed_);
    void* const gathered = lane_memory_.of(inside, n, element);
    inside.all_to_all(by_lane, Counts(per_lane_), gathered, Counts(from_place_), element);

    void* const passed = group_memory_.of(inside, n, element);
    std::exclusive_scan(from_place_.begin(), from_place_.end(), to_place_.begin(), std::int64_t{0});
    to = 0;
    for_each_pair([&](std::size_t by_node, std::size_t, int) {
      std::int64_t& from = to_place_[by_node % places];
      copy(advance(passed, to, element), advance(gathered, from, element), passed_[by_node], element);
      from += passed_[by_node];
      to += passed_[by_node];
    });
    void* const came = lane_memory_.of(inside, sum_of(came_), element);
    peers_->all_to_all(passed, Counts(per_node_), came, Counts(mine_), element);
    std::int64_t from = 0;
    for_each_pair([&](std::size_t by_node, std::size_t, int r) {
      if (recv != nullptr)
        copy(advance(recv, count_of(came_starts_, r), element), advance(came, from, element), came_[by_node],
             element);
      from += came_[by_node];
    });
  }

  NodeMap map_;
  int rank_;
  std::optional<Across> peers_;
  std::vector<std::int64_t> per_lane_;  ///< elements that this node's ranks carry, each by its lane
  std::vector<std::int64_t> to_place_, from_place_;  ///< elements for, and from, each rank of this node
  std::vector<std::int64_t> per_node_, mine_;        ///< elements for, and from, each node by this rank's lane
  std::vector<const void*> terms_;
  std::vector<std::int64_t> sizes_, starts_;      ///< of the blocks of all ranks
  std::vector<std::int64_t> came_, came_starts_;  ///< of those that come to this rank
  std::vector<std::int64_t> sent_, passed_;       ///< what goes by this rank, from each place to each node
  KeptMemory lane_memory_, group_memory_, own_memory_, terms_memory_;
};

}  // namespace tpx::comm::detail
